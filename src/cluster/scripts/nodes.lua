-- Which nodes there are. KEYS: the leases, and what nodes say of themselves. The time, and both.
return {text(math.floor(now_us() / 1000)), redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2])}
