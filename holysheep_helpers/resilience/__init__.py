"""After a failed request: retries, a circuit breaker, failover (lessons 6 and 7)."""
