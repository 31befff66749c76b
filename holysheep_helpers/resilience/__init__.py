"""After a failed request: retries, a circuit breaker, failover (lessons 8 and 9)."""
