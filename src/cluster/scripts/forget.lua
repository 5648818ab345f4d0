-- Another life of one channel. KEYS: log, state, top. ARGV: channel, and the epoch and number of entries that are known.
-- Then, if a node has placed something itself: in which life, and for how many microseconds nothing more. All who have the
-- channel have missed that, unless another life has begun since.
local log, state, top, channel = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local p = epoch_of(log, state, top, ARGV[2], ARGV[3])
local _, e = stand(state, top, channel, p)
local own, now = tonumber(ARGV[4] or '0'), now_us()
if ARGV[4] and tonumber(e) > own and tonumber(e) <= now and tonumber(e) > now - tonumber(ARGV[5]) then
  return {'placed', e, '0', p, redis.call('HGET', state, 'n')}
end
local new = text(math.max(now, math.max(tonumber(e), tonumber(p), own) + 1))
redis.call('HSET', top, channel, '0 ' .. new .. ' ' .. text(today()))
local n = redis.call('HINCRBY', state, 'n', 1)
redis.call('XADD', log, '*', 'k', ARGV[4] and 'apart' or 'anew', 'p', p, 'n', n, 'c', channel, 'e', new)
return {'placed', new, '0', p, text(n)}
