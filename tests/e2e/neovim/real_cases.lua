--- The plugin against the real program, in a repository that is not ours: a copy of packages of
--- Python's standard library. What is proposed is the model's affair; that it is proposed, grows,
--- is taken and reaches the disk is what these cases look at.
local ghost = require('kinglet.ghost')
local session = require('kinglet.session')

local cases = {}
local function case(name, body)
  cases[#cases + 1] = { name, body }
end

--- Every ghost text drawn, in order: what streams faster than one can look is seen all the same.
local drawn = {}
local draw = ghost.draw
ghost.draw = function(view, rest, replaces)
  drawn[#drawn + 1] = { place = view.row .. ':' .. view.col, rest = rest, at = vim.loop.hrtime() }
  return draw(view, rest, replaces)
end

--- The longest run of ghost texts at one place of which each continues the one before.
local function longest_growth()
  local best, run = {}, {}
  for _, state in ipairs(drawn) do
    local last = run[#run]
    local same = last and last.place == state.place
    if not (same and state.rest == last.rest) then
      if not (same and vim.startswith(state.rest, last.rest)) then
        run = {}
      end
      run[#run + 1] = state
    end
    if #run > #best then
      best = vim.list_extend({}, run)
    end
  end
  return best
end

local function copy_packages()
  local find = 'import json, os; print(os.path.dirname(os.path.dirname(json.__file__)))'
  local library = vim.trim(vim.fn.system({ '/usr/bin/python3', '-c', find }))
  for _, name in ipairs({ 'json', 'email', 'html', 'http', 'urllib' }) do
    vim.fn.system({ 'cp', '-r', library .. '/' .. name, '.' })
  end
end

local function edit(t, name)
  vim.cmd('silent edit ' .. name)
  t.wait('a server that is ready', function()
    return require('kinglet.server').client_of_buffer(vim.api.nvim_get_current_buf())
  end)
end

local function wait_settled(t)
  t.wait('the answer', function()
    return not session.inspect().asking
  end)
end

local pressed_at

--- Types one key after the other until ghost text has grown, at least `n_states` times.
local function type_until_grown(t, keys, n_states)
  drawn = {}
  for key in keys:gmatch('.') do
    local text_before = t.text()
    pressed_at = vim.loop.hrtime()
    t.press(key)
    t.wait('the key ' .. key, function()
      return t.text() ~= text_before
    end)
    -- The request of this key is sent after a short quiet; then its answer comes, or does not.
    t.wait('a request or ghost text', function()
      return session.inspect().asking or t.ghost()
    end)
    wait_settled(t)
    if #longest_growth() >= n_states and t.ghost() then
      return true
    end
  end
  return false
end

case('ghost text of the real model grows, is accepted, and the file holds it', function(t)
  copy_packages()
  edit(t, 'json/encoder.py')
  vim.fn.append(vim.fn.line('$'), { '', '', 'def encode_all(values):', '    ' })
  vim.cmd('normal! G$')
  t.press('a')
  local typed = 'return [JSONEncoder().encode(value) for value in values]'
  t.equal('it grew', type_until_grown(t, typed, 3), true)
  local states = vim.tbl_map(function(state)
    return state.rest
  end, longest_growth())
  io.stdout:write('  states: ' .. vim.inspect(states):gsub('\n%s*', ' ') .. '\n')
  local first = longest_growth()[1].at - pressed_at
  io.stdout:write(('  first ghost text %.0f ms after the key\n'):format(first / 1e6))

  local before, proposed = t.text(), t.ghost()
  t.type('<Tab>', before .. proposed)
  t.escape()
  t.press(':w<CR>')
  t.wait('the file to be written', function()
    return not vim.bo.modified
  end)
  t.equal('file', table.concat(vim.fn.readfile('json/encoder.py'), '\n'), before .. proposed)
  t.type('u', before)
end)

case('vim.lsp.buf.definition() jumps to where a name is defined', function(t)
  copy_packages()
  edit(t, 'json/__init__.py')
  t.wait('the index', function()
    return (t.ask('kinglet/status').repositories[1] or {}).state == 'ready'
  end)
  local row = vim.fn.search('cls = JSONEncoder$')
  t.equal('a use', row > 0, true)
  vim.fn.cursor(row, vim.fn.col('$') - 3)
  vim.lsp.buf.definition()
  t.wait('the other file', function()
    return vim.api.nvim_buf_get_name(0):match('json/encoder%.py$')
  end)
  t.equal('line', vim.api.nvim_get_current_line(), 'class JSONEncoder(object):')
end)

case('navigation gives way to another server that offers it', function(t)
  edit(t, 'json/scanner.py')
  local compat = require('kinglet.compat')
  local client = t.client()
  local function supports(method)
    return compat.call(client, 'supports_method', method)
  end
  t.equal('alone', supports('textDocument/definition'), true)
  if vim.fn.has('nvim-0.10') == 0 then
    return -- older ones start programs only
  end
  local id = vim.lsp.start({
    name = 'another',
    cmd = function(dispatchers)
      return {
        request = function(method, _, reply)
          if method == 'initialize' then
            reply(nil, { capabilities = { definitionProvider = true } })
          elseif method == 'shutdown' then
            reply(nil, vim.NIL)
          end
          return true, 1
        end,
        notify = function(method)
          if method == 'exit' then
            dispatchers.on_exit(0, 0)
          end
          return true
        end,
        is_closing = function()
          return false
        end,
        terminate = function()
          dispatchers.on_exit(0, 0)
        end,
      }
    end,
  })
  t.wait('it gives way', function()
    return not supports('textDocument/definition')
  end)
  t.equal('references', supports('textDocument/references'), true)
  -- Buffers come and go, those that the other server knows and those that it does not.
  edit(t, 'json/tool.py')
  vim.cmd('bdelete')
  edit(t, 'json/scanner.py')
  vim.cmd('edit')
  vim.lsp.stop_client(id)
  t.wait('the other server to be gone', function()
    return not vim.lsp.get_client_by_id(id)
  end)
  t.wait('ours to be back', function()
    return supports('textDocument/definition')
  end)
end)

case('the server reports its status', function(t)
  edit(t, 'json/decoder.py')
  vim.cmd('messages clear')
  vim.cmd('Kinglet status')
  t.wait('the report', function()
    return vim.fn.execute('messages'):find('this buffer  attached', 1, true)
  end)
  t.equal('an answer', vim.fn.execute('messages'):find('the server has no report', 1, true), nil)
  t.equal('a version', vim.fn.execute('messages'):find('version +%d+%.%d+') ~= nil, true)
end)

case('the context command shows the prompt of text that is not saved yet', function(t)
  copy_packages()
  edit(t, 'json/decoder.py')
  t.wait('the index', function()
    local repository = t.ask('kinglet/status').repositories[1] or {}
    return repository.state == 'ready' and repository.files > 10
  end)
  vim.fn.append(vim.fn.line('$'), { '', '', 'def decode_all(strings):' })
  vim.cmd('normal! G$')
  vim.cmd('Kinglet context')
  t.wait('the prompt', function()
    return t.text():find('\ntotal ')
  end)
  local text = t.text()
  t.equal('the place', text:find(' at json/decoder.py:', 1, true) ~= nil, true)
  local typed = '  typed, %d+ tokens\ndef decode_all%(strings%)'
  t.equal('what was typed', text:find(typed) ~= nil, true)
  t.equal('other files', text:find('\n[%w_/]+%.py +signature ') ~= nil, true)
  vim.cmd('close')
  vim.cmd('undo')
end)

case('two repositories share one daemon', function(t)
  edit(t, 'json/decoder.py')
  local here = t.ask('kinglet/status').pid
  vim.fn.mkdir('../other/.git', 'p')
  vim.fn.writefile({ 'import json', '' }, '../other/a.py')
  edit(t, '../other/a.py')
  t.equal('servers', #require('kinglet.server').all(), 2)
  t.equal('daemon', t.ask('kinglet/status').pid, here)
end)

case('a killed daemon: the editor notices nothing, completions go on', function(t)
  edit(t, 'json/scanner.py')
  local client_id = t.client().id
  local first = t.ask('kinglet/status').pid
  vim.loop.kill(first, 'sigkill')
  t.wait('another daemon', function()
    return t.ask('kinglet/status').pid ~= first
  end)
  vim.fn.append(vim.fn.line('$'), { '', '', 'def scan_all(strings):', '    ' })
  vim.cmd('normal! G$')
  t.press('a')
  t.equal('it grew', type_until_grown(t, 'return [py_make_scanner(value) for value', 2), true)
  t.equal('client', t.client().id, client_id)
  t.equal('messages', t.messages, {})
end)

return cases
