-- The parameter table for servers that take no modules: what model.c and table.c do, as a script.
--
-- KEYS[1] is a hash: the fields of the specification, base, step, rate, and "tag:<worker>" for the
-- last push of each worker. KEYS[2] is a string: the table, row after row as in model.h
-- (weights | state | stamp | scale). This file has the rows and the update rules, the script goes
-- on with commands.lua. Arithmetic is in float64 and rounded to float32 when stored, where model.c
-- keeps more in float32: results differ in the last digits.

local HASH, TABLE = KEYS[1], KEYS[2]
local BATCH = 200 -- values at a time: all of them lie on the Lua stack
local HUGE = 3.4028234663852886e38

local STATES = {sgd = 0, momentum = 1, nesterov = 1, adagrad = 1, adam = 3, ftrl = 2}

local function fail(text) return {err = text} end

local function f32(x)
    local value = struct.unpack("<f", struct.pack("<f", x))
    return value
end

-- A number that is finite and not negative as a float32, or nil.
local function number(text)
    local x = tonumber(text)
    return x and x >= 0 and x <= HUGE and f32(x) or nil
end

---- Binary strings -----------------------------------------------------------------------------

local formats = {}

local function format_of(letter, n)
    local known = letter .. n
    local format = formats[known]
    if not format then
        format = "<" .. string.rep(letter, n)
        formats[known] = format
    end
    return format
end

local function decode(letter, blob, from, n)
    local values = {}
    for first = 1, n, BATCH do
        local size = math.min(BATCH, n - first + 1)
        local batch = {struct.unpack(format_of(letter, size), blob, from)}
        if n == size then
            batch[n + 1] = nil -- where the next value would begin
            return batch
        end
        for i = 1, size do values[first + i - 1] = batch[i] end
        from = from + 4 * size
    end
    return values
end

local function encode(values, from, to)
    if to - from < BATCH then
        return struct.pack(format_of("f", to - from + 1), unpack(values, from, to))
    end
    local middle = from + BATCH * math.floor((to - from) / BATCH / 2 + 0.5)
    return encode(values, from, middle - 1) .. encode(values, middle, to)
end

---- Rows ---------------------------------------------------------------------------------------

-- The model, or nil and an error.
local function open_model()
    local f = redis.pcall("HMGET", HASH, "rows", "width", "optimizer", "penalized", "scaled", "l1",
                          "l2", "beta1", "beta2", "eps", "power_t", "base", "step", "rate",
                          "varied", "columns")
    if f.err then return nil, fail("WRONGTYPE the key does not hold a model") end
    if not f[1] then return nil, fail("NOMODEL there is no model at this key") end
    local m = {rows = tonumber(f[1]), width = tonumber(f[2]), optimizer = f[3],
               penalized = tonumber(f[4]), scaled = f[5] == "1", l1 = tonumber(f[6]),
               l2 = tonumber(f[7]), beta1 = tonumber(f[8]), beta2 = tonumber(f[9]),
               eps = tonumber(f[10]), power_t = tonumber(f[11]), base = tonumber(f[12]),
               step = tonumber(f[13]), rate = tonumber(f[14])}
    m.varied, m.blob = f[15] == "1", f[16]
    m.columns = m.blob and decode("f", m.blob, 1, 3 * m.width)
    m.floats = m.width * (1 + STATES[m.optimizer])
    m.bytes = 4 * (m.floats + 1 + (m.scaled and 1 or 0))
    m.coasts = m.optimizer == "momentum" or m.optimizer == "nesterov"
    if m.floats < BATCH then
        m.format = format_of("f", m.floats) .. "I4" .. (m.scaled and "f" or "")
    end
    m.sleeps_free = not m.coasts and m.l1 == 0 and m.l2 == 0 and not m.varied
    return m
end

-- A row as floats 1 .. m.floats, with its stamp and scale; `from` is where it begins in blob.
local function row_of(m, blob, from)
    if m.format then
        local row = {struct.unpack(m.format, blob, from)}
        row.stamp, row.scale = row[m.floats + 1], m.scaled and row[m.floats + 2] or 1
        return row
    end
    local row, behind = decode("f", blob, from, m.floats), from + 4 * m.floats
    row.stamp = struct.unpack("<I4", blob, behind)
    row.scale = m.scaled and struct.unpack("<f", blob, behind + 4) or 1
    return row
end

local function bytes_of(m, row)
    if m.format then
        row[m.floats + 1], row[m.floats + 2] = row.stamp, row.scale
        return struct.pack(m.format, unpack(row, 1, m.bytes / 4))
    end
    local scale = m.scaled and struct.pack("<f", row.scale) or ""
    return encode(row, 1, m.floats) .. struct.pack("<I4", row.stamp) .. scale
end

local function range(m, id, n)
    return redis.call("GETRANGE", TABLE, id * m.bytes, (id + n) * m.bytes - 1)
end

-- Rate, penalties and eps of a row's coordinates.
local function coordinate(m, row, id, rate)
    local squared = m.optimizer == "sgd" or m.coasts
    local power = squared and 2 or m.optimizer == "adagrad" and 2 - 2 * m.power_t or 1
    local c = {rate = rate / row.scale ^ power, l1 = 0, l2 = 0, eps = m.eps * row.scale}
    if id < m.penalized then
        local passed_on = m.coasts and 1 / (1 - m.beta1) or 1
        c.l1, c.l2 = m.l1 * passed_on, m.l2 * passed_on
    end
    return c
end

-- The same for one column, where columns differ: factors of the rate, l1, l2 lie one behind another.
local function in_column(m, c, id, j)
    if not m.columns then return c end
    local d = {rate = c.rate * m.columns[j], l1 = 0, l2 = 0, eps = c.eps}
    if id < m.penalized then
        local passed_on = m.coasts and 1 / (1 - m.beta1) or 1
        d.l1 = m.columns[m.width + j] * passed_on
        d.l2 = m.columns[2 * m.width + j] * passed_on
    end
    return d
end

local function adagrad_rate(m, c, squares)
    return c.rate / (math.sqrt(squares) + c.eps) ^ (2 * m.power_t)
end

---- Penalties and sleep (see the functions of the same names in penalty.h and rules.h) ----------

local function log1p(x)
    return x < 1e-5 and x * (1 - x * (0.5 - x / 3)) or math.log(1 + x)
end

local function signed(size, x) return x < 0 and -size or size end

local function shrink(w, a, b, k)
    if w == 0 or k == 0 then return w end
    local kb, kept = k * b
    if k == 1 then
        kept = 1 / (1 + b)
    elseif kb < 0.01 then
        kept = 1 / (1 + kb * (1 + 0.5 * (kb - b) * (1 + (kb - 2 * b) / 3)))
    else
        kept = math.exp(-k * log1p(b))
    end
    local size = math.abs(w) * kept
    if k == 1 then
        size = size - a * kept
    elseif a > 0 then
        size = size - (b > 0 and a / b * (1 - kept) or k * a)
    end
    return size > 0 and signed(size, w) or 0
end

local function coast(w, v, rate, a, b, beta, look_ahead, k)
    local decay = beta ^ k
    if v == 0 then return shrink(w, a, b, k), v end
    local push = rate * look_ahead * v
    if a == 0 then
        local r, kept = 1 / (1 + b), math.exp(-k * log1p(b))
        local sum = math.abs(r - beta) < 1e-9 and k * r * kept
                    or r * beta * (kept - decay) / (r - beta)
        return kept * w - push * sum, v * decay
    end
    local left = k
    while left > 0 and math.abs(push) > 1e-12 and math.abs(push) <= HUGE do
        push = push * beta
        w = shrink(w - push, a, b, 1)
        left = left - 1
    end
    return shrink(w, a, b, left), v * decay
end

-- The row after the steps it slept through; the stamp is left to the caller.
local function wake(m, row, id)
    local k = m.step - row.stamp
    if k == 0 or m.sleeps_free then return row end
    local all, width = coordinate(m, row, id, m.rate), m.width
    for j = 1, width do
        local c = in_column(m, all, id, j)
        local w, s = row[j], row[j + width]
        if m.optimizer == "sgd" then
            row[j] = shrink(w, c.rate * c.l1, c.rate * c.l2, k)
        elseif m.coasts then
            local look_ahead = m.optimizer == "nesterov" and m.beta1 or 1
            row[j], row[j + width] = coast(w, s, c.rate, c.rate * c.l1, c.rate * c.l2, m.beta1,
                                           look_ahead, k)
        elseif m.optimizer == "adagrad" and s > 0 then
            local rate = adagrad_rate(m, c, s)
            row[j] = shrink(w, rate * c.l1, rate * c.l2, k)
        elseif m.optimizer == "adam" and row[j + 3 * width] > 0 then
            local corrected = row[j + 2 * width] / (1 - m.beta2 ^ row[j + 3 * width])
            local rate = c.rate / (math.sqrt(corrected) + c.eps)
            row[j] = shrink(w, rate * c.l1, rate * c.l2, k)
        elseif m.optimizer == "ftrl" and w ~= 0 and s > 0 then
            local rate = c.rate / (math.sqrt(s) + c.eps)
            local a, b = rate * c.l1, rate * c.l2
            row[j] = shrink(w, a, b, k)
            if row[j] == 0 and a > 0 then
                local size = math.abs(w)
                local steps = b > 0 and log1p(size * b / a) / log1p(b) or size / a
                local then_ = m.base + row.stamp
                row[j + 2 * width] = signed((then_ + math.min(steps, k)) * c.l1, -w)
            end
        end
    end
    return row
end

---- Updates ------------------------------------------------------------------------------------

local function gradient_step(m, c, row, j, rate, direction)
    row[j] = shrink(row[j] - rate * direction, rate * c.l1, rate * c.l2, 1)
end

local update = {}

function update.sgd(m, c, row, j, g) gradient_step(m, c, row, j, c.rate, g) end

function update.momentum(m, c, row, j, g)
    local v = m.beta1 * row[j + m.width] + g
    row[j + m.width] = v
    gradient_step(m, c, row, j, c.rate, v)
end

function update.nesterov(m, c, row, j, g)
    local v = m.beta1 * row[j + m.width] + g
    row[j + m.width] = v
    gradient_step(m, c, row, j, c.rate, g + m.beta1 * v)
end

function update.adagrad(m, c, row, j, g)
    local squares = row[j + m.width] + g * g
    row[j + m.width] = squares
    if squares > 0 then
        gradient_step(m, c, row, j, adagrad_rate(m, c, squares), g)
    end
end

function update.adam(m, c, row, j, g)
    local first, second, touched = j + m.width, j + 2 * m.width, j + 3 * m.width
    row[touched] = row[touched] + 1
    row[first] = m.beta1 * row[first] + (1 - m.beta1) * g
    row[second] = m.beta2 * row[second] + (1 - m.beta2) * g * g
    local mean = row[first] / (1 - m.beta1 ^ row[touched])
    local root = math.sqrt(row[second] / (1 - m.beta2 ^ row[touched])) + c.eps
    if root > 0 then gradient_step(m, c, row, j, c.rate / root, mean) end
end

function update.ftrl(m, c, row, j, g, now)
    local squares, dual = j + m.width, j + 2 * m.width
    local before = (math.sqrt(row[squares]) + c.eps) / c.rate
    row[squares] = row[squares] + g * g
    local after = (math.sqrt(row[squares]) + c.eps) / c.rate
    if not (after > 0) or after == math.huge then return end
    local x, z = row[j], row[dual]
    if x ~= 0 then z = -x * before - signed((now - 1) * c.l1, x) end
    z = z + g - (after - before) * x
    local beyond = math.abs(z) - now * c.l1
    row[dual] = z
    row[j] = beyond > 0 and -signed(beyond, z) / (after + c.l2) or 0
end
