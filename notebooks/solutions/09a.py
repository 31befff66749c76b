statuses = {404, 408, 429, 500, 503}
hs.check("09a", statuses)
