"""Programs that write or measure files of this project; offline/ is what start.py needs."""
