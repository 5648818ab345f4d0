-- The state of a partition: its epoch `e`, and `n`, how many entries its stream has ever had. Somebody who knows of a
-- younger life or of more entries has seen what this server has lost, by a restart or a failover: another life begins.
local function text(number)
  return string.format('%.0f', number)
end

local function now_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function epoch_of(log, state, top, known_e, known_n)
  local has = redis.call('HMGET', state, 'e', 'n')
  local e, n = tonumber(has[1] or '0'), tonumber(has[2] or '0')
  known_e = tonumber(known_e)
  if has[1] and (e > known_e or (e == known_e and n >= tonumber(known_n))) then
    return has[1]
  end
  local new = text(math.max(now_us(), math.max(e, known_e) + 1))
  redis.call('UNLINK', top)
  redis.call('HDEL', state, 'f', 't')
  redis.call('HSET', state, 'e', new)
  n = redis.call('HINCRBY', state, 'n', 1)
  redis.call('XADD', log, '*', 'k', 'epoch', 'p', new, 'n', n)
  return new
end

-- Days since 1970.
local function today()
  return math.floor(now_us() / 86400000000)
end

-- Offset of a channel's newest publication, and the epoch of the channel. One that is not known may have been idle for so
-- long that it was forgotten: `f` is younger than all those.
local function stand(state, top, channel, e)
  local has = redis.call('HGET', top, channel)
  if not has then
    return 0, redis.call('HGET', state, 'f') or e
  end
  local offset, own = string.match(has, '^(%d+) ?(%d*)')
  if own ~= '' then
    return tonumber(offset), own
  end
  return tonumber(offset), e
end
