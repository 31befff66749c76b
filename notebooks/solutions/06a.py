curable = ["rate_limit", "server_error", "dns"]
hs.check("06a", curable)
