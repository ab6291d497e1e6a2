--- The life of the server process, as the plugin sees it: killed, refusing to start, restarted, not
--- there at all; and each position encoding a server may choose.

local cases = {}
local function case(name, body)
  cases[#cases + 1] = { name, body }
end

local function answer(text)
  return { result = { items = { { insertText = text } } } }
end

local function own_server()
  return require('kinglet.server').of_buffer(vim.api.nvim_get_current_buf())
end

local function wait_state(t, state)
  t.wait('the server to be ' .. state, function()
    return own_server().state == state
  end)
end

--- All messages; without the one of its own that Neovim 0.7 cannot be kept from.
local function messages(t)
  return vim.tbl_filter(function(message)
    return vim.fn.has('nvim-0.8') == 1 or not message.text:find('^Client %d+ quit')
  end, t.messages)
end

local function options()
  return require('kinglet.config').options
end

local function restart(t)
  vim.cmd('Kinglet restart')
  wait_state(t, 'ready')
  t.notify('test/forget', vim.empty_dict())
end

case('a killed server: one message, a new server, completions go on', function(t)
  t.open()
  options().restart_delays_ms = { 10, 10, 10 }
  local first = own_server().client_id
  local value = { itemId = '1', insertText = 'e' }
  t.rules({ { before = 'on', steps = { { stream = value }, { gate = 'a' } } } })
  t.press('ion')
  t.wait_ghost('e')
  t.notify('test/die', { code = 3 })
  t.wait('another server', function()
    return own_server().state == 'ready' and own_server().client_id ~= first
  end)
  t.equal('messages', #messages(t), 1)
  t.equal('it says why', messages(t)[1].text:find('code 3', 1, true) ~= nil, true)
  t.rules({ { before = 'once', steps = { answer(' more') } } })
  t.type('ce', 'once')
  t.wait_ghost(' more')
  t.type('<Tab>', 'once more')
  t.wait_in_sync()
end)

case('typing while the server is gone reaches the next one', function(t)
  t.open()
  options().restart_delays_ms = { 10000 }
  t.type('ia', 'a')
  t.notify('test/die', { code = 4 })
  wait_state(t, 'waiting')
  t.equal('status', require('kinglet').status(), 'kinglet restarting')
  t.type('b<CR>cé', 'ab\ncé')
  options().restart_delays_ms = { 10 }
  vim.cmd('Kinglet restart')
  wait_state(t, 'ready')
  t.wait_in_sync()
  t.type('d', 'ab\ncéd')
  t.wait_in_sync()
end)

case('who typed before the server was ready is not forgotten', function(t)
  t.open()
  options().restart_delays_ms = { 10 }
  t.type('iwaiting', 'waiting')
  local first = own_server().client_id
  t.notify('test/die', { code = 4 })
  t.wait('another server', function()
    return own_server().state == 'ready' and own_server().client_id ~= first
  end)
  t.wait('a request', function()
    return t.n_asked('waiting') == 1
  end)
end)

case('a server that will not start: told once, given up, restarted by hand', function(t)
  t.open()
  options().restart_delays_ms = { 5, 5 }
  options().args = { '--refuse', '9' }
  vim.cmd('Kinglet restart')
  wait_state(t, 'failed')
  t.type('itext', 'text')
  t.equal('messages', #messages(t), 2)
  t.equal('first', messages(t)[1].text:find('code 9', 1, true) ~= nil, true)
  t.equal('last', messages(t)[2].text:find('keeps stopping', 1, true) ~= nil, true)
  t.equal('status', require('kinglet').status(), 'kinglet stopped')
  options().args = {}
  restart(t)
  t.rules({ { before = 'texts', steps = { answer(' again') } } })
  t.type('s', 'texts')
  t.wait_ghost(' again')
end)

case('no program: one message that says where to look, and no error', function(t)
  t.open()
  options().program = '/nonexistent/kinglet'
  vim.cmd('Kinglet restart')
  wait_state(t, 'failed')
  t.type('itext', 'text')
  t.escape()
  vim.cmd('silent edit second.c')
  t.type('itext', 'text')
  t.wait('the message', function()
    return #messages(t) == 1
  end)
  t.equal('it says where', messages(t)[1].text:find(':checkhealth kinglet', 1, true) ~= nil, true)
  t.escape()
  vim.cmd('silent checkhealth kinglet')
  t.equal('health', t.text():find('ERROR', 1, true) ~= nil, true)
  vim.cmd('bwipeout!')
  options().program = vim.env.KINGLET_PROGRAM
  restart(t)
end)

case('a restart by hand ends the old server in order', function(t)
  t.open()
  local before = own_server().client_id
  restart(t)
  t.equal('another client', own_server().client_id ~= before, true)
  t.wait('the old client to be gone', function()
    return vim.lsp.get_client_by_id(before) == nil
  end)
  t.equal('messages', messages(t), {})
end)

case('a buffer that was closed is not opened in the next server', function(t)
  t.open({ 'closed' })
  local closed = vim.uri_from_bufnr(0)
  vim.cmd('bwipeout!')
  t.open({ 'open' })
  restart(t)
  t.wait_in_sync()
  t.equal('closed', t.received().documents[closed], nil)
end)

for _, sync in ipairs({ 'incremental', 'full' }) do
  for _, encoding in ipairs({ 'utf-8', 'utf-16', 'utf-32' }) do
    case(('%s columns, %s changes: text of many bytes'):format(encoding, sync), function(t)
      t.open({ '« été 🐦 »', '' })
      options().args = { '--encoding', encoding, '--sync', sync }
      restart(t)
      t.wait_in_sync()
      t.rules({ { before = '"é🐦', steps = { answer('ö𝄞 🐦\n→ fin') } } })
      t.press('a"é🐦')
      t.wait_ghost('ö𝄞 🐦\n→ fin')
      t.type('<Tab>', '« été 🐦 »\n"é🐦ö𝄞 🐦\n→ fin')
      t.type('é<Esc>gg0xixß🐦<BS>', 'xß été 🐦 »\n"é🐦ö𝄞 🐦\n→ finé')
      t.wait_in_sync()
      t.escape()
      t.type('Gdd', 'xß été 🐦 »\n"é🐦ö𝄞 🐦')
      t.wait_in_sync()
      options().args = {}
    end)
  end
end

return cases
