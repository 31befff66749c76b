def again_in_s(error):
    found = hs.diagnose(error)
    if not found.retryable:
        return None
    return found.wait_s or 1.0


hs.check("07b", again_in_s)
