"""Programs that write files of this project, and what start.py needs for a room."""
