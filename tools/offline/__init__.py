"""What start.py needs to fill a folder of wheels and to install from it; nothing else needed."""
