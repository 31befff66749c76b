ask_again = ["rate_limit", "server_error", "connect_timeout"]
hs.check("07a", ask_again)
