"""What the lessons need around the calls: exercises, sample data, panels, and the doctor."""
