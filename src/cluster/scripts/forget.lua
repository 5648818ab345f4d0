-- Another life of one channel. KEYS: log, state, top. ARGV: channel, and the epoch and number of entries that are known.
local log, state, top, channel = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local p = epoch_of(log, state, top, ARGV[2], ARGV[3])
local _, e = stand(state, top, channel, p)
local new = text(math.max(now_us(), math.max(tonumber(e), tonumber(p)) + 1))
redis.call('HSET', top, channel, '0 ' .. new .. ' ' .. text(today()))
local n = redis.call('HINCRBY', state, 'n', 1)
redis.call('XADD', log, '*', 'k', 'anew', 'p', p, 'n', n, 'c', channel, 'e', new)
return {'placed', new, '0', p, text(n)}
