-- How a partition is. KEYS: log, state, top. ARGV: the epoch and number of entries that are known, and whether all
-- channels are to be told ('1'). The epoch, the number, the newest entry's id, and the channels.
local p = epoch_of(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local id = newest[1] and newest[1][1] or '0-0'
local heads = {}
if ARGV[3] == '1' then
  heads = redis.call('HGETALL', KEYS[3])
end
return {p, redis.call('HGET', KEYS[2], 'n'), id, heads}
