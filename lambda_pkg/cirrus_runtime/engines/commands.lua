-- The operations of the script that model.lua begins. ARGV[1] names one; ids and values are binary
-- strings. Nothing is written before all arguments have been checked.

local SQUARES = {adagrad = 1, adam = 2, ftrl = 1}
local SCALE_SLOT, COLUMN_SLOT, COLUMN_ROWS = 101, 103, 3
local MAX_STEP, MAX_COUNT = 4294967295, 9007199254740992
local MAX_TABLE = 512 * 1024 * 1024 -- the longest string of a server

---- Pull and push ------------------------------------------------------------------------------

-- The ids in a binary string, or nil and an error.
local function ids_of(m, blob)
    if #blob % 4 ~= 0 then return nil, fail("BADLENGTH ids are 4 bytes each") end
    local ids = decode("I4", blob, 1, #blob / 4)
    for i = 1, #ids do
        if ids[i] >= m.rows then
            return nil, fail("BADID an id is not below the number of rows")
        end
    end
    return ids
end

local function pull(m, ids)
    local out = {}
    for i = 1, #ids do
        if m.sleeps_free then
            local from = ids[i] * m.bytes
            out[i] = redis.call("GETRANGE", TABLE, from, from + 4 * m.width - 1)
        else
            out[i] = encode(wake(m, row_of(m, range(m, ids[i], 1), 1), ids[i]), 1, m.width)
        end
    end
    return table.concat(out)
end

-- What is wrong with a push, or nil; true as second value if it was applied before.
local function refuse(m, lr, ids, grads, blob, tag)
    if not lr then return fail("BADVALUE the learning rate must be finite and not negative") end
    if #blob ~= 4 * #grads or #grads ~= #ids * m.width then
        return fail("BADLENGTH ids and gradients do not go together")
    end
    if tag then
        local last = redis.call("HGET", HASH, "tag:" .. tag.worker)
        if last then
            local generation, sequence = string.match(last, "^(%d+) (%d+)$")
            generation, sequence = tonumber(generation), tonumber(sequence)
            if tag.generation < generation then
                return fail("STALEWORKER a newer generation of this worker has taken over")
            end
            if tag.generation == generation and tag.sequence <= sequence then return nil, true end
        end
    end
    local seen = {}
    for i = 1, #ids do
        if seen[ids[i]] then return fail("BADID an id stands twice in one push") end
        seen[ids[i]] = true
    end
    for i = 1, #grads do
        if not (math.abs(grads[i]) <= HUGE) then
            return fail("BADVALUE a value is NaN or infinite")
        end
    end
    if m.step >= MAX_STEP then return fail("BADVALUE the model can take no more steps") end
end

local function set_tag(tag)
    redis.call("HSET", HASH, "tag:" .. tag.worker,
               string.format("%.0f %.0f", tag.generation, tag.sequence))
end

local function apply(m, lr, ids, grads, tag)
    local apply_to, width, now = update[m.optimizer], m.width, m.base + m.step + 1
    for i = 1, #ids do
        local id = ids[i]
        local row = wake(m, row_of(m, range(m, id, 1), 1), id)
        local c = coordinate(m, row, id, lr)
        for j = 1, width do
            apply_to(m, in_column(m, c, id, j), row, j, grads[(i - 1) * width + j], now)
        end
        row.stamp = m.step + 1
        redis.call("SETRANGE", TABLE, id * m.bytes, bytes_of(m, row))
    end
    m.step, m.rate = m.step + 1, lr
    redis.call("HSET", HASH, "step", string.format("%.0f", m.step), "rate",
               string.format("%.17g", lr))
    if tag then set_tag(tag) end
end

-- A whole push: ARGV[at] and on are lr, ids, grads and perhaps worker, generation, sequence.
-- Returns the model and 1 or 0 (a duplicate); or nil and an error.
local function push(at, pull_blob)
    local m, wrong = open_model()
    if not m then return nil, wrong end
    local ids, next_ids
    ids, wrong = ids_of(m, ARGV[at + 1])
    if wrong then return nil, wrong end
    if pull_blob then
        next_ids, wrong = ids_of(m, pull_blob)
        if wrong then return nil, wrong end
    end
    local blob, tag = ARGV[at + 2], nil
    local grads = decode("f", blob, 1, math.floor(#blob / 4))
    if ARGV[at + 3] then
        tag = {worker = tonumber(ARGV[at + 3]), generation = tonumber(ARGV[at + 4]),
               sequence = tonumber(ARGV[at + 5])}
    end
    local lr, duplicate = number(ARGV[at])
    wrong, duplicate = refuse(m, lr, ids, grads, blob, tag)
    if wrong then return nil, wrong end
    if not duplicate then apply(m, lr, ids, grads, tag) end
    return m, duplicate and 0 or 1, next_ids
end

---- Operations ---------------------------------------------------------------------------------

local operations = {}

-- push lr ids grads [worker generation sequence] -> 1 applied | 0 duplicate
function operations.push()
    local _, outcome = push(2)
    return outcome
end

-- step pull-ids lr ids grads [worker generation sequence] -> rows
function operations.step()
    local m, outcome, next_ids = push(3, ARGV[2])
    return m and pull(m, next_ids) or outcome
end

-- tag worker generation sequence -> OK (as if that had been the worker's last push)
function operations.tag()
    local m, wrong = open_model()
    if not m then return wrong end
    set_tag({worker = tonumber(ARGV[2]), generation = tonumber(ARGV[3]),
             sequence = tonumber(ARGV[4])})
    return {ok = "OK"}
end

-- pull ids -> rows
function operations.pull()
    local m, wrong = open_model()
    if not m then return wrong end
    local ids
    ids, wrong = ids_of(m, ARGV[2])
    return wrong or pull(m, ids)
end

-- create name value ... -> OK (the fields of the hash, as open_model reads them)
function operations.create()
    if redis.call("TYPE", HASH).ok == "hash" then
        return fail("MODELEXISTS there is a model at this key already")
    elseif redis.call("EXISTS", HASH) == 1 then
        return fail("WRONGTYPE the key does not hold a model")
    end
    for i = 2, #ARGV, 2 do
        local name, value = ARGV[i], ARGV[i + 1]
        if name ~= "optimizer" and not number(value) then
            return fail("BADVALUE " .. name .. " must be finite and not negative")
        elseif name == "base" and tonumber(value) > MAX_COUNT then
            return fail("BADVALUE the clock must be a count of steps up to 2^53")
        end
    end
    redis.call("HSET", HASH, unpack(ARGV, 2))
    local m = open_model()
    local total = m.rows * m.bytes
    if total > MAX_TABLE then
        redis.call("DEL", HASH)
        return fail("OOM without its module a server holds tables up to 512 MiB")
    end
    redis.call("SETRANGE", TABLE, total - 1, "\0")
    if m.varied then
        local same = function(x) return string.rep(struct.pack("<f", x), m.width) end
        redis.call("HSET", HASH, "columns", same(1) .. same(m.l1) .. same(m.l2))
    end
    if m.scaled then
        local size = math.min(m.rows, math.max(1, math.floor(1048576 / m.bytes)))
        local one = string.rep("\0", m.bytes - 4) .. struct.pack("<f", 1)
        local chunk = string.rep(one, size)
        for first = 0, m.rows - 1, size do
            local rows = math.min(size, m.rows - first)
            redis.call("SETRANGE", TABLE, first * m.bytes, string.sub(chunk, 1, rows * m.bytes))
        end
    end
    return {ok = "OK"}
end

-- The model, slot, first row and count of a dump or load; or nil and an error.
local function open_range(values)
    local m, wrong = open_model()
    if not m then return nil, wrong end
    local slot, first, rows = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
    local most = m.rows
    if slot == COLUMN_SLOT and m.varied then
        most = COLUMN_ROWS
    elseif slot > STATES[m.optimizer] and not (slot == SCALE_SLOT and m.scaled) then
        return nil, fail("BADVALUE the model has no such slot")
    end
    local width = slot == SCALE_SLOT and 1 or m.width
    if values then
        rows = #values / 4 / width
        if rows ~= math.floor(rows) then
            return nil, fail("BADLENGTH the values are not whole rows")
        end
    end
    if first < 0 or rows < 0 or first + rows > most then
        return nil, fail("BADVALUE the rows lie outside the table")
    end
    return m, slot, first, rows
end

-- dump slot first count -> values
function operations.dump()
    local m, slot, first, rows = open_range()
    if not m then return slot end
    if slot == COLUMN_SLOT then
        local row = 4 * m.width
        return string.sub(m.blob, first * row + 1, (first + rows) * row)
    end
    local blob, out = range(m, first, rows), {}
    for i = 1, rows do
        local row = wake(m, row_of(m, blob, (i - 1) * m.bytes + 1), first + i - 1)
        if slot == SCALE_SLOT then
            out[i] = struct.pack("<f", row.scale)
        else
            out[i] = encode(row, slot * m.width + 1, (slot + 1) * m.width)
        end
    end
    return table.concat(out)
end

-- load slot first values -> OK
function operations.load()
    local m, slot, first, rows = open_range(ARGV[4])
    if not m then return slot end
    local values = decode("f", ARGV[4], 1, #ARGV[4] / 4)
    local least, most = -HUGE, HUGE
    if slot == SCALE_SLOT then least, most = 1e-15, 1e15 end
    if slot == COLUMN_SLOT or slot == SQUARES[m.optimizer] or m.optimizer == "adam" and slot == 3 then least = 0 end
    for i = 1, #values do
        if not (values[i] >= least and values[i] <= most) then
            return fail("BADVALUE a value is NaN, infinite, or out of the range of its slot")
        end
    end
    if slot == COLUMN_SLOT then
        local row = 4 * m.width
        local before, after = first * row, (first + rows) * row
        redis.call("HSET", HASH, "columns",
                   string.sub(m.blob, 1, before) .. ARGV[4] .. string.sub(m.blob, after + 1))
        return {ok = "OK"}
    end
    local blob, out = range(m, first, rows), {}
    for i = 1, rows do
        local row = wake(m, row_of(m, blob, (i - 1) * m.bytes + 1), first + i - 1)
        row.stamp = m.step
        if slot == SCALE_SLOT then
            row.scale = values[i]
        else
            for j = 1, m.width do row[slot * m.width + j] = values[(i - 1) * m.width + j] end
        end
        out[i] = bytes_of(m, row)
    end
    redis.call("SETRANGE", TABLE, first * m.bytes, table.concat(out))
    return {ok = "OK"}
end

-- info -> name value ...
function operations.info()
    local m, wrong = open_model()
    if not m then return wrong end
    local fields = redis.call("HMGET", HASH, "rows", "width", "optimizer", "penalized", "scaled",
                              "varied", "l1", "l2", "beta1", "beta2", "eps", "power_t",
                              "rate")
    fields[#fields + 1] = string.format("%.0f", m.base + m.step)
    fields[#fields + 1] = string.format("%.0f", redis.call("STRLEN", TABLE))
    return fields
end

return operations[ARGV[1]]()
