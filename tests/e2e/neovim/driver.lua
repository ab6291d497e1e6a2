--- Runs the cases of one file inside `nvim --headless`: real keys (nvim_input), and waiting on
--- state, never on time. Each case gets this table and opens a fresh file; a case that fails ends
--- with its reason, the others run all the same.
---
---   nvim --headless -u init.lua -c "luafile driver.lua"     with KINGLET_CASES naming the file
local api = vim.api

-- For a state that must come; a machine under load is slow, not stuck.
local kPatienceMs = tonumber(vim.env.KINGLET_PATIENCE_MS) or 60000
local kLookEveryMs = 5

local t = {}
local co

local function pause(ms)
  vim.defer_fn(function()
    local ok, problem = coroutine.resume(co)
    if not ok then
      io.stderr:write(tostring(problem) .. '\n')
      vim.cmd('cquit 2')
    end
  end, ms)
  coroutine.yield()
end

local function describe(value)
  return (vim.inspect(value):gsub('\n%s*', ' '))
end

local function around_cursor()
  local row = api.nvim_win_get_cursor(0)[1]
  return api.nvim_buf_get_lines(0, math.max(row - 4, 0), row + 3, false)
end

--- Waits until `get` gives something true, and returns it.
function t.wait(what, get)
  local start = vim.loop.now()
  while true do
    local value = get()
    if value then
      return value
    end
    if vim.loop.now() - start > kPatienceMs then
      error(('never came: %s\n  lines %s\n  ghost %s\n  mode %s\n  session %s'):format(
        what,
        describe(around_cursor()),
        describe(t.ghost()),
        api.nvim_get_mode().mode,
        describe(require('kinglet.session').inspect())
      ), 0)
    end
    pause(kLookEveryMs)
  end
end

function t.equal(what, got, wanted)
  if not vim.deep_equal(got, wanted) then
    error(('%s: got %s, not %s'):format(what, describe(got), describe(wanted)), 0)
  end
end

function t.lines()
  return api.nvim_buf_get_lines(0, 0, -1, false)
end

function t.text()
  return table.concat(t.lines(), '\n')
end

--- The ghost text on the screen, nil when there is none. Text of the buffer that is drawn again is
--- not part of it.
function t.ghost()
  local namespace = require('kinglet.ghost').namespace
  local marks = api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
  if #marks == 0 then
    return nil
  end
  local details = marks[1][4]
  local rows = { details.virt_text }
  for _, row in ipairs(details.virt_lines or {}) do
    rows[#rows + 1] = row
  end
  for i, row in ipairs(rows) do
    local parts = {}
    for _, chunk in ipairs(row) do
      parts[#parts + 1] = chunk[2] == 'KingletGhost' and chunk[1] or ''
    end
    rows[i] = table.concat(parts)
  end
  return table.concat(rows, '\n')
end

--- All of the first row of ghost text, with what is drawn again behind it.
function t.ghost_chunks()
  local namespace = require('kinglet.ghost').namespace
  local marks = api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })
  return marks[1] and marks[1][4].virt_text, marks[1] and marks[1][4].virt_lines
end

function t.wait_ghost(wanted)
  t.wait('ghost text ' .. describe(wanted), function()
    return t.ghost() == wanted
  end)
end

function t.wait_no_ghost()
  t.wait('no ghost text', function()
    return t.ghost() == nil
  end)
end

--- Presses keys and does not wait.
function t.press(keys)
  api.nvim_input(keys)
end

--- Presses keys and waits until the buffer holds this text.
function t.type(keys, text)
  t.press(keys)
  t.wait('the text ' .. describe(text), function()
    return t.text() == text
  end)
end

--- How many requests were made with this text left of the cursor.
function t.n_asked(before)
  local n = 0
  for _, completion in ipairs(t.received().completions) do
    n = n + (completion.before == before and 1 or 0)
  end
  return n
end

--- Puts the editor back into normal mode.
function t.escape()
  t.press('<Esc>')
  t.wait('normal mode', function()
    return api.nvim_get_mode().mode == 'n'
  end)
end

--- The plugin's client of the buffer.
function t.client()
  return require('kinglet.server').client_of_buffer(api.nvim_get_current_buf())
end

local function call(method, ...)
  return require('kinglet.compat').call(t.client(), method, ...)
end

function t.notify(method, params)
  call('notify', method, params)
end

local files = 0

--- Opens a new file with these lines, ready for completions, cursor at its end.
function t.open(lines, extension)
  files = files + 1
  local name = ('%s/case%d.%s'):format(vim.fn.getcwd(), files, extension or 'c')
  vim.fn.writefile(lines or { '' }, name)
  vim.cmd('silent edit ' .. vim.fn.fnameescape(name))
  t.wait('a server that is ready', function()
    return require('kinglet.server').client_of_buffer(api.nvim_get_current_buf())
  end)
  vim.cmd('normal! G$')
  if vim.env.KINGLET_SCRIPTED then
    t.notify('test/forget', vim.empty_dict())
  end
  return name
end

--- Asks the server, and waits for its answer.
function t.ask(method, params)
  local answer
  call('request', method, params or vim.empty_dict(), function(_, result)
    answer = { result }
  end, 0)
  return t.wait('an answer to ' .. method, function()
    return answer
  end)[1]
end

function t.received()
  return t.ask('test/received')
end

function t.rules(rules)
  t.notify('test/rules', { rules = rules })
end

function t.release(gate)
  t.notify('test/release', { gate = gate })
end

--- Waits until a request stands at the server's gate.
function t.wait_gate(gate)
  t.wait('a request at gate ' .. gate, function()
    return vim.tbl_contains(t.received().waiting, gate)
  end)
end

--- Waits until the server has exactly the text of the buffer.
function t.wait_in_sync()
  local uri = vim.uri_from_bufnr(0)
  t.wait('the server to have the text', function()
    return t.received().documents[uri] == t.text() .. '\n'
  end)
end

--- Messages that were shown, newest last.
t.messages = {}
vim.notify = function(message, level)
  table.insert(t.messages, { text = message, level = level })
end

local function run()
  local cases = dofile(vim.env.KINGLET_CASES)
  local wanted, n_failed, n_run = vim.env.KINGLET_CASE, 0, 0
  for _, case in ipairs(cases) do
    local name, body = case[1], case[2]
    if not wanted or name:find(wanted, 1, true) then
      n_run = n_run + 1
      t.messages = {}
      vim.v.errmsg = ''
      local ok, problem = pcall(function()
        body(t)
        t.escape()
        if vim.v.errmsg ~= '' then
          error('Neovim reported an error: ' .. vim.v.errmsg, 0)
        end
      end)
      io.stdout:write(('%s %s\n'):format(ok and 'ok  ' or 'FAIL', name))
      if not ok then
        n_failed = n_failed + 1
        io.stdout:write('  ' .. tostring(problem) .. '\n')
        pcall(t.escape)
      end
    end
  end
  io.stdout:write(('%d cases, %d failed\n'):format(n_run, n_failed))
  io.stdout:flush()
  if n_failed > 0 or n_run == 0 then
    vim.cmd('cquit 1')
  end
  vim.cmd('qall!')
end

-- LuaJIT yields across pcall, so a case may wait inside of one.
co = coroutine.create(run)
vim.defer_fn(function()
  local ok, problem = coroutine.resume(co)
  if not ok then
    io.stderr:write(tostring(problem) .. '\n')
    vim.cmd('cquit 2')
  end
end, 1)
