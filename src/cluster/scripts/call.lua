-- Something that is told to all nodes. KEYS: log, state and top of what nodes tell each other, the leases, and the users
-- whose tokens are refused. ARGV: the epoch and number of entries that are known, entries to keep, such a user (or nothing),
-- how many there may be; then the entry's fields. The nodes that there are.
local p = epoch_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
local n = redis.call('HINCRBY', KEYS[2], 'n', 1)
local entry = {'p', p, 'n', n}
for i = 6, #ARGV do
  table.insert(entry, ARGV[i])
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(entry))
if ARGV[4] ~= '' and redis.call('HLEN', KEYS[5]) < tonumber(ARGV[5]) then
  redis.call('HSET', KEYS[5], ARGV[4], text(math.floor(now_us() / 1000000)))
end
local now, leases, live = now_us() / 1000, redis.call('HGETALL', KEYS[4]), {}
for i = 1, #leases, 2 do
  if tonumber(leases[i + 1]) >= now then
    table.insert(live, leases[i])
  end
end
return {p, text(n), live}
