"""Monthly costs, audits of published figures, break-even and ROI (lessons 11 and 12)."""
