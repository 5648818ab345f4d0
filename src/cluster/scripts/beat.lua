-- A node is there. KEYS: log, state and top of what nodes tell each other, the leases, what nodes say of themselves, and
-- those whose members are still to be counted off. ARGV: the epoch and number of entries that are known, entries to keep,
-- the node, what it says of itself, milliseconds of a lease, 'join' or 'renew'. Those whose lease is over are gone.
local p = epoch_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
local node, now = ARGV[4], math.floor(now_us() / 1000)
if ARGV[7] == 'renew' and redis.call('HEXISTS', KEYS[4], node) == 0 then
  return {'lost'}
end
redis.call('HSET', KEYS[4], node, text(now + tonumber(ARGV[6])))
redis.call('HSET', KEYS[5], node, ARGV[5])
local leases, live, gone = redis.call('HGETALL', KEYS[4]), {}, {}
for i = 1, #leases, 2 do
  if tonumber(leases[i + 1]) >= now then
    table.insert(live, leases[i])
  else
    redis.call('HDEL', KEYS[4], leases[i])
    redis.call('HDEL', KEYS[5], leases[i])
    redis.call('SADD', KEYS[6], leases[i])
    table.insert(gone, leases[i])
    local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'p', p, 'n', n, 'k', 'gone', 'w', leases[i])
  end
end
return {'kept', p, redis.call('HGET', KEYS[2], 'n'), live, gone, redis.call('SMEMBERS', KEYS[6])}
