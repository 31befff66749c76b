"""Monthly costs, audits of published figures, break-even and ROI (lesson 9)."""
