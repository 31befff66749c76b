curable = ["rate_limit", "server_error", "connect_timeout"]
hs.check("07a", curable)
