"""The offline gateway: a server of its own that knows only the catalogue and its tokens."""

MOCK_PREFIX = "hs-mock-"
LEARNERS_KEY = "hs-mock-learner"
"""The key of a mock inside this process, and what replies to a kernel's own, random key are drawn
for: the same request has the same answer with each of them."""
ADMIN_VARIABLE = "HOLYSHEEP_MOCK_ADMIN_TOKEN"
OWN_KEY_VARIABLE = "HOLYSHEEP_MOCK_OWN_KEY"
