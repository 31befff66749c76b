claim = hs.audit_claim("60", "claude-sonnet-4-5", 10_000_000)
print(claim)
input_share = claim.explains[0].input_share
hs.check("11a", input_share)
