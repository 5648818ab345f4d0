-- Forgets channels to which nothing was published for so many days, a part of them at once. KEYS: log, state and top. ARGV:
-- the days, and about how many are looked at. If they come back, it is in another life.
local limit, state, top = today() - tonumber(ARGV[1]), KEYS[2], KEYS[3]
local page = redis.call('HSCAN', top, redis.call('HGET', state, 't') or '0', 'COUNT', ARGV[2])
local gone = 0
for i = 1, #page[2], 2 do
  local day = tonumber(string.match(page[2][i + 1], '^%d+ %d* (%d+)$') or limit)
  if day < limit then
    redis.call('HDEL', top, page[2][i])
    gone = gone + 1
  end
end
redis.call('HSET', state, 't', page[1])
if gone > 0 then
  local e, f = redis.call('HGET', state, 'e') or '0', redis.call('HGET', state, 'f') or '0'
  redis.call('HSET', state, 'f', text(math.max(now_us(), math.max(tonumber(e), tonumber(f)) + 1)))
end
return text(gone)
