"""Many prompts at once: batches, their journal, their pace, and long texts (lessons 4 and 10)."""
