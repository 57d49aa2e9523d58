-- One replica tells and asks: all counters of a round in one step.
--
-- KEYS[1]: the replicas, with the time of their last call; the other keys are counters, one field for each replica. A replica that waits
-- for a place has a second field there, `want:REPLICA`: since when, and when it asked last.
-- ARGV: the replica, after how many ms without a call a replica is gone, the number of counters;
--       for each: used, held, ms to live, 1 if it counts places;
--       the number of requests; for each: its number of lines, then of each line: counter, room, count, limit, 1 if it waits.
-- Answer: the age in ms of what is here; of each counter: what others hold, what this replica holds;
--         of each request: 0, or the number of its line that has no room.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, gone_after = ARGV[1], tonumber(ARGV[2])
local at = 2
local function number()
  at = at + 1
  return tonumber(ARGV[at])
end

redis.call('HSETNX', KEYS[1], 'since', now)
redis.call('HSET', KEYS[1], me, now)
redis.call('PEXPIRE', KEYS[1], 86400000)
local since, alive = now, {}
local calls = redis.call('HGETALL', KEYS[1])
for i = 1, #calls, 2 do
  local replica, called = calls[i], tonumber(calls[i + 1])
  if replica == 'since' then
    since = called
  elseif now - called > gone_after then
    redis.call('HDEL', KEYS[1], replica)
  else
    alive[replica] = true
  end
end

-- Who asked longer ago does not wait any more.
local wants_for = 1000

local counters = {}
for i = 1, number() do
  local counter = { key = KEYS[i + 1], others = 0, held_by = {}, wants = {} }
  counter.used = number()
  counter.held = number()
  counter.ttl = number()
  counter.places = number() == 1
  local fields = redis.call('HGETALL', counter.key)
  for j = 1, #fields, 2 do
    local replica = fields[j]
    local waits = string.match(replica, '^want:(.+)$')
    if waits then
      local since, asked = string.match(fields[j + 1], '^(%d+):(%d+)$')
      if now - tonumber(asked) > wants_for then
        redis.call('HDEL', counter.key, replica)
      elseif waits == me then
        counter.wants_since, counter.marked = tonumber(since), true
      else
        counter.wants[waits] = tonumber(since)
      end
    elseif replica ~= me then
      if counter.places and not alive[replica] then
        redis.call('HDEL', counter.key, replica)
      else
        counter.held_by[replica] = tonumber(fields[j + 1])
        counter.others = counter.others + counter.held_by[replica]
      end
    end
  end
  counters[i] = counter
end

-- A free place goes to the replica with the fewest that waits for one, and of two with as many to the one that has waited longer.
local function is_others_turn(counter)
  for replica, since in pairs(counter.wants) do
    local held = counter.held_by[replica] or 0
    local longer = counter.wants_since == nil or since < counter.wants_since
    if held < counter.used or (held == counter.used and longer) then
      return true
    end
  end
  return false
end

local verdicts = {}
for i = 1, number() do
  local lines, lacking = {}, 0
  for j = 1, number() do
    local line = {}
    line.counter = counters[number() + 1]
    line.room = number()
    line.count = number()
    line.limit = number()
    line.waits = number() == 1
    local needed = line.counter.used + line.room
    if lacking == 0 and needed > line.counter.held and line.counter.others + needed > line.limit then
      lacking = j
    elseif lacking == 0 and line.waits and is_others_turn(line.counter) then
      lacking = j
    end
    if lacking == j and line.waits then
      line.counter.wants_since = line.counter.wants_since or now
      line.counter.asked = true
    end
    lines[j] = line
  end
  if lacking == 0 then
    for _, line in ipairs(lines) do
      local counter = line.counter
      local needed = counter.used + line.room
      if needed > counter.held then
        -- A little more than is needed saves the next questions; what is not used is given back.
        local spare = 0
        if not counter.places then
          spare = math.floor((line.limit - counter.others - needed) / 16)
        end
        counter.held = needed + spare
      end
      counter.used = counter.used + line.count
      if line.waits then
        counter.wants_since = nil
        counter.asked = false
      end
    end
  end
  verdicts[i] = lacking
end

local answer = { now - since }
for _, counter in ipairs(counters) do
  if counter.held > 0 then
    redis.call('HSET', counter.key, me, string.format('%.0f', counter.held))
    redis.call('PEXPIRE', counter.key, counter.ttl)
  else
    redis.call('HDEL', counter.key, me)
  end
  if counter.asked then
    redis.call('HSET', counter.key, 'want:' .. me, string.format('%.0f:%.0f', counter.wants_since, now))
    redis.call('PEXPIRE', counter.key, counter.ttl)
  elseif counter.marked and counter.wants_since == nil then
    redis.call('HDEL', counter.key, 'want:' .. me)
  end
  answer[#answer + 1] = counter.others
  answer[#answer + 1] = counter.held
end
for _, verdict in ipairs(verdicts) do
  answer[#answer + 1] = verdict
end
return answer
