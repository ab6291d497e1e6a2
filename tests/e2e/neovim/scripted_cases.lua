--- The plugin against the scripted server: each case sets the server's rules, types, and looks at
--- the ghost text and the buffer.

local function item(text)
  return { insertText = text }
end

local function answer(...)
  local items = {}
  for i, text in ipairs({ ... }) do
    items[i] = item(text)
  end
  return { result = { items = items } }
end

local function streamed(text, done)
  return { stream = { itemId = '1', version = 1, insertText = text, done = done or false } }
end

local cases = {}
local function case(name, body)
  cases[#cases + 1] = { name, body }
end

case('the client announces what it can do', function(t)
  t.open()
  local capabilities = t.received().capabilities
  t.equal('inlineStream', capabilities.experimental.kinglet.inlineStream, true)
  t.equal('inlineCompletion', capabilities.textDocument.inlineCompletion ~= nil, true)
end)

case('an answer is drawn beside the cursor and below, the buffer is untouched', function(t)
  t.open()
  t.rules({ { before = 'int ad', steps = { answer('d(int a) {\n  return a;\n}') } } })
  t.press('iint ad')
  t.wait_ghost('d(int a) {\n  return a;\n}')
  t.equal('text', t.text(), 'int ad')
end)

case('a stream grows the ghost text, the final answer replaces it', function(t)
  t.open()
  t.rules({
    {
      before = 'int ad',
      steps = {
        { gate = 'a' },
        streamed('d'),
        { gate = 'b' },
        streamed('d(int'),
        { gate = 'c' },
        streamed('d(int a)\n{'),
        { gate = 'd' },
        answer('d(int a)\n{\n}'),
      },
    },
  })
  t.press('iint ad')
  t.wait_gate('a')
  t.equal('before the first token', t.ghost(), nil)
  t.release('a')
  t.wait_ghost('d')
  t.release('b')
  t.wait_ghost('d(int')
  t.release('c')
  t.wait_ghost('d(int a)\n{')
  t.release('d')
  t.wait_ghost('d(int a)\n{\n}')
  t.equal('requests', t.n_asked('int ad'), 1)
end)

case('typing along shrinks the ghost text and asks nothing new', function(t)
  t.open()
  t.rules({ { before = 'int ad', steps = { answer('d(int a)') } } })
  t.press('iint ad')
  t.wait_ghost('d(int a)')
  t.type('d', 'int add')
  t.wait_ghost('(int a)')
  t.type('(i', 'int add(i')
  t.wait_ghost('nt a)')
  t.type('<BS>', 'int add(')
  t.wait_ghost('int a)')
  local completions = t.received().completions
  t.equal('last request', completions[#completions].before, 'int ad')
end)

case('typing along keeps the stream that is still coming', function(t)
  t.open()
  t.rules({
    {
      before = 'int ad',
      steps = {
        streamed('d('),
        { gate = 'a' },
        streamed('d(int a)'),
        { gate = 'b' },
        answer('d(int a);'),
      },
    },
  })
  t.press('iint ad')
  t.wait_ghost('d(')
  t.type('d(', 'int add(')
  t.wait_no_ghost()
  t.type('i', 'int add(i') -- ahead of the stream
  t.release('a')
  t.wait_ghost('nt a)')
  t.release('b')
  t.wait_ghost('nt a);')
  t.equal('requests', t.n_asked('int ad') + t.n_asked('int add('), 1)
end)

case('typing something else cancels the stream and asks anew', function(t)
  t.open()
  t.rules({
    { before = 'int ad', steps = { streamed('d('), { gate = 'a' }, answer('d()') } },
    { before = 'int adx', steps = { answer('yz') } },
  })
  t.press('iint ad')
  t.wait_ghost('d(')
  t.type('x', 'int adx')
  t.wait_ghost('yz')
  t.equal('left at the gate', t.received().waiting, {})
end)

case('a stream that turns out not to continue what was typed ahead is dropped', function(t)
  t.open()
  t.rules({
    { before = 'ad', steps = { streamed('d'), { gate = 'a' }, streamed('d()'), { gate = 'b' } } },
    { before = 'add[', steps = { answer('0]') } },
  })
  t.press('iad')
  t.wait_ghost('d')
  t.type('d[', 'add[')
  t.wait_no_ghost()
  t.release('a')
  t.wait_ghost('0]')
  t.equal('left at the gate', t.received().waiting, {})
end)

case('an outdated answer is ignored, should the server send it all the same', function(t)
  t.open()
  t.rules({
    { before = 'one', deaf = true, steps = { { gate = 'a' }, streamed('STALE'), answer('STALE') } },
    { before = 'one two', steps = { { gate = 'b' }, answer(' three') } },
  })
  t.press('ione')
  t.wait_gate('a')
  t.type(' two', 'one two')
  t.wait_gate('b')
  t.release('a')
  t.received() -- the outdated answer came before this one
  t.equal('ghost', t.ghost(), nil)
  t.release('b')
  t.wait_ghost(' three')
  t.equal('requests', t.n_asked('one two'), 1)
end)

case('a null answer shows nothing and harms nothing', function(t)
  t.open()
  t.rules({
    { before = 'null', steps = { { gate = 'a' }, { result = vim.NIL } } },
    { before = 'nulls', steps = { answer(' fine') } },
  })
  t.press('inull')
  t.wait_gate('a')
  t.release('a')
  t.wait('the answer', function()
    return not require('kinglet.session').inspect().asking
  end)
  t.equal('ghost', t.ghost(), nil)
  t.type('s', 'nulls')
  t.wait_ghost(' fine')
end)

case('an error or a null after a stream leaves what was streamed', function(t)
  t.open()
  t.rules({
    {
      before = 'err',
      steps = { streamed('or'), { gate = 'a' }, { error = { code = -32603, message = 'x' } } },
    },
  })
  t.press('ierr')
  t.wait_ghost('or')
  t.release('a')
  t.wait('the answer', function()
    return not require('kinglet.session').inspect().asking
  end)
  t.equal('ghost', t.ghost(), 'or')
  t.type('<Tab>', 'error')
end)

case('an empty answer after a stream takes the ghost text away', function(t)
  t.open()
  t.rules({ { before = 'no', steps = { streamed('pe'), { gate = 'a' }, answer() } } })
  t.press('ino')
  t.wait_ghost('pe')
  t.release('a')
  t.wait_no_ghost()
end)

case('answers that are not as they should be show nothing', function(t)
  t.open()
  local function range(line, from, to)
    return { start = { line = line, character = from }, ['end'] = { line = line, character = to } }
  end
  for i, result in ipairs({
    { items = { { insertText = { kind = 'snippet', value = 'x' } } } },
    { items = { { text = 'x' } } },
    { items = 'x' },
    { items = { 'x', 7, vim.NIL } },
    { items = { { insertText = 'x', range = range(7, 0, 0) } } },
    { items = { { insertText = 'x', range = 'x' } } },
    { items = { { insertText = 'x', range = { start = 7 } } } },
    { items = { { insertText = 'x', range = range(0, 'a', vim.NIL) } } },
    { items = { { insertText = 'x', range = range(0, 0, 2) } } },
    'x',
    7,
  }) do
    local word = 'odd' .. ('x'):rep(i)
    t.rules({ { before = word, steps = { { gate = 'a' }, { result = result } } } })
    vim.cmd('%d')
    t.press('i' .. word)
    t.wait_gate('a')
    t.release('a')
    t.wait('the answer', function()
      return not require('kinglet.session').inspect().asking
    end)
    t.equal('ghost of ' .. vim.inspect(result), t.ghost(), nil)
    t.escape()
  end
end)

case('Tab takes it all, one undo takes it back, one redo brings it again', function(t)
  t.open()
  t.rules({ { before = 'int ad', steps = { answer('d(int a) {\n  return a;\n}') } } })
  t.press('iint ad')
  t.wait_ghost('d(int a) {\n  return a;\n}')
  t.type('<Tab>', 'int add(int a) {\n  return a;\n}')
  t.wait_no_ghost()
  t.equal('cursor', vim.api.nvim_win_get_cursor(0), { 3, 1 })
  t.type(' // x', 'int add(int a) {\n  return a;\n} // x')
  t.escape()
  t.type('u', 'int add(int a) {\n  return a;\n}')
  t.type('u', 'int ad')
  t.type('u', '')
  t.type('<C-r><C-r>', 'int add(int a) {\n  return a;\n}')
end)

case('word by word', function(t)
  t.open()
  t.rules({ { before = 'int ad', steps = { answer('d(int a)\n  {x}') } } })
  t.press('iint ad')
  t.wait_ghost('d(int a)\n  {x}')
  t.type('<M-Right>', 'int add')
  t.wait_ghost('(int a)\n  {x}')
  t.type('<M-Right>', 'int add(')
  t.type('<M-Right>', 'int add(int')
  t.type('<M-Right>', 'int add(int a')
  t.type('<M-Right>', 'int add(int a)')
  t.wait_ghost('\n  {x}')
  t.type('<M-Right>', 'int add(int a)\n  {')
  t.wait_ghost('x}')
  t.type('<M-Right><M-Right>', 'int add(int a)\n  {x}')
  t.equal('requests on the way', t.n_asked('int add(int a)'), 0)
  t.escape()
  t.type('u', 'int add(int a)\n  {x')
end)

case('line by line', function(t)
  t.open()
  t.rules({ { before = 'int ad', steps = { answer('d() {\n  one();\n  two();') } } })
  t.press('iint ad')
  t.wait_ghost('d() {\n  one();\n  two();')
  t.type('<M-C-Right>', 'int add() {')
  t.wait_ghost('\n  one();\n  two();')
  t.type('<M-C-Right>', 'int add() {\n  one();')
  t.wait_ghost('\n  two();')
  t.type('<M-C-Right>', 'int add() {\n  one();\n  two();')
  t.wait_no_ghost()
end)

case('typing the line end along goes on in the next line', function(t)
  t.open()
  vim.bo.autoindent = true
  t.rules({ { before = '  if x:', steps = { answer('\n  y') } } })
  t.press('i  if x:')
  t.wait_ghost('\n  y')
  t.type('<CR>', '  if x:\n  ')
  t.wait_ghost('y')
  t.type('<Tab>', '  if x:\n  y')
end)

case('dismissed ghost text stays away until the next key', function(t)
  t.open()
  t.rules({
    { before = 'a', steps = { answer('bc') } },
    { before = 'ax', steps = { answer('yz') } },
  })
  t.press('ia')
  t.wait_ghost('bc')
  t.press('<C-]>')
  t.wait_no_ghost()
  t.received()
  t.equal('ghost', t.ghost(), nil)
  t.type('x', 'ax')
  t.wait_ghost('yz')
end)

case('leaving insert mode takes ghost text and request away', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { streamed('bc'), { gate = 'a' } } } })
  t.press('ia')
  t.wait_ghost('bc')
  t.escape()
  t.wait_no_ghost()
  t.wait('the cancellation', function()
    return #t.received().waiting == 0
  end)
end)

case('moving the cursor away takes it away', function(t)
  t.open({ 'one', 'two' })
  t.rules({ { before = 'twox', steps = { answer('yz') } } })
  t.press('ax')
  t.wait_ghost('yz')
  t.press('<Up>')
  t.wait_no_ghost()
end)

case('alternatives are shown one after the other', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { answer('b1', 'c2', 'b3') } } })
  t.press('ia')
  t.wait_ghost('b1')
  t.equal('status', require('kinglet').status(), 'kinglet 1/3')
  t.press('<M-]>')
  t.wait_ghost('c2')
  t.press('<M-]>')
  t.wait_ghost('b3')
  t.press('<M-]>')
  t.wait_ghost('b1')
  t.type('b', 'ab')
  t.wait_ghost('1')
  t.press('<M-]>') -- c2 fits no more
  t.wait_ghost('3')
  t.type('<Tab>', 'ab3')
end)

case('what was typed chooses the alternative', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { answer('b1', 'c2') } } })
  t.press('ia')
  t.wait_ghost('b1')
  t.type('c', 'ac')
  t.wait_ghost('2')
end)

case('asking for the next one where there is one only asks the server, invoked', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { answer('b1') } } })
  t.press('ia')
  t.wait_ghost('b1')
  t.rules({ { before = 'a', steps = { answer('b1', 'c2') } } })
  t.press('<M-]>')
  t.wait('two items', function()
    return require('kinglet.session').inspect().n_items == 2
  end)
  local completions = t.received().completions
  t.equal('trigger kind', completions[#completions].triggerKind, 1)
  t.press('<M-]>')
  t.wait_ghost('c2')
end)

case('by hand: nothing is asked until the key is pressed', function(t)
  t.open()
  local options = require('kinglet.config').options
  options.auto_trigger = false
  t.rules({ { before = 'by hand', steps = { answer('!') } } })
  t.type('iby hand', 'by hand')
  t.equal('requests', t.received().completions, {})
  t.press('<M-Bslash>')
  t.wait_ghost('!')
  options.auto_trigger = true
  t.equal('requests', t.received().completions, { { before = 'by hand', triggerKind = 1 } })
end)

case('text right of the cursor is kept', function(t)
  t.open({ 'f()' })
  t.rules({ { before = 'f(x', steps = { answer(', y') } } })
  t.press('ix')
  t.wait_ghost(', y')
  t.type('<Tab>', 'f(x, y)')
  t.equal('cursor', vim.api.nvim_win_get_cursor(0), { 1, 6 })
end)

case('several lines in the middle of a line: its rest is shown after the last one', function(t)
  t.open({ 'f()' })
  t.rules({ { before = 'f(x', steps = { answer(',\n\ty') } } })
  t.press('ix')
  t.wait_ghost(',\n' .. (' '):rep(8) .. 'y')
  local first, below = t.ghost_chunks()
  t.equal('first row', first[1][1], ',')
  t.equal('last row', below[1][2], { ')', 'KingletRest' })
  t.type('<Tab>', 'f(x,\n\ty)')
end)

case('text that the answer replaces is replaced', function(t)
  t.open({ 'f()' })
  local function replacing(text, from, to)
    local range = { start = { line = 0, character = from }, ['end'] = { line = 0, character = to } }
    return { result = { items = { { insertText = text, range = range } } } }
  end
  t.rules({ { before = 'f(x', steps = { replacing('f(x, y) + 1', 0, 4) } } })
  t.press('ix')
  t.wait_ghost(', y) + 1')
  t.type('<Tab>', 'f(x, y) + 1')
  t.escape()
  t.type('u', 'f(x)')
  -- The bracket that is already there is not drawn twice.
  t.rules({ { before = 'f(xz', steps = { replacing('()', 4, 5) } } })
  t.press('0f)iz')
  t.wait_ghost('(')
  t.type('<Tab>', 'f(xz()')
end)

case('text of many bytes: positions, ghost text, typing along and accepting', function(t)
  t.open({ '« été 🐦 »', '' })
  t.rules({ { before = '"é🐦', steps = { answer('ö𝄞 naïve 🐦\n→ fin') } } })
  t.press('a"é🐦')
  t.wait_ghost('ö𝄞 naïve 🐦\n→ fin')
  t.type('ö', '« été 🐦 »\n"é🐦ö')
  t.wait_ghost('𝄞 naïve 🐦\n→ fin')
  t.type('<M-Right>', '« été 🐦 »\n"é🐦ö𝄞')
  t.type('<M-Right>', '« été 🐦 »\n"é🐦ö𝄞 naïve')
  t.type('<Tab>', '« été 🐦 »\n"é🐦ö𝄞 naïve 🐦\n→ fin')
  t.type('é<Esc>gg0xixß🐦<BS>', 'xß été 🐦 »\n"é🐦ö𝄞 naïve 🐦\n→ finé')
  t.wait_in_sync()
end)

case('the menu hides the ghost text, and gives way to it again', function(t)
  t.open({ 'alpha alphabet', '' })
  vim.o.completeopt = 'menuone,noselect'
  t.rules({ { before = 'al', steps = { answer(' GHOST') } } })
  t.press('aal')
  t.wait_ghost(' GHOST')
  t.press('<C-n>')
  t.wait('the menu', function()
    return vim.fn.pumvisible() == 1
  end)
  t.wait_no_ghost()
  t.press('<C-e>')
  t.wait('the menu to close', function()
    return vim.fn.pumvisible() == 0
  end)
  t.wait_ghost(' GHOST')
  -- A menu that is open gets the key.
  t.press('<C-n>')
  t.wait('the menu', function()
    return vim.fn.pumvisible() == 1
  end)
  t.type('<C-n><C-y>', 'alpha alphabet\nalpha')
end)

case('the menus of plugins hide it too', function(t)
  t.open()
  local open = false
  package.loaded.cmp = {
    visible = function()
      return open
    end,
  }
  t.rules({ { before = 'al', steps = { answer(' GHOST') } } })
  t.press('ial')
  t.wait_ghost(' GHOST')
  open = true
  vim.cmd('doautocmd User BlinkCmpMenuOpen')
  t.wait_no_ghost()
  t.type('<Tab>', 'al\t')
  open = false
  t.type('<BS>', 'al')
  t.wait_ghost(' GHOST')
  package.loaded.cmp = nil
end)

case('the editor\'s own inline completion does not draw a second time', function(t)
  local builtin = vim.lsp.inline_completion
  if not builtin then
    return -- Neovim before 0.12
  end
  vim.cmd([[autocmd LspAttach * lua vim.lsp.inline_completion.enable(true)]])
  t.open()
  local client_id = require('kinglet.server').of_buffer(vim.api.nvim_get_current_buf()).client_id
  t.wait('it to be off for our client', function()
    return not builtin.is_enabled({ client_id = client_id })
  end)
  t.rules({ { before = 'al', steps = { answer('pha') } } })
  t.press('ial')
  t.wait_ghost('pha')
  local own = require('kinglet.ghost').namespace
  for name, namespace in pairs(vim.api.nvim_get_namespaces()) do
    local marks = vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, {})
    t.equal('marks of ' .. name, #marks, namespace == own and 1 or 0)
  end
  vim.cmd('autocmd! LspAttach')
  builtin.enable(false)
end)

case('without ghost text the key is what it was: itself, or the mapping of the user', function(t)
  t.open()
  t.type('ia<Tab>b', 'a\tb')
  t.escape()
  vim.api.nvim_set_keymap('i', '<Tab>', 'TAB', { noremap = true })
  t.type('a<Tab>', 'a\tbTAB')
  t.escape()
  vim.keymap.set('i', '<Tab>', function()
    return '<C-v>u00e9'
  end, { expr = true })
  t.type('a<Tab>', 'a\tbTABé')
  t.escape()
  vim.keymap.set('i', '<Tab>', function()
    vim.api.nvim_set_current_line('from a function')
  end)
  t.type('a<Tab>', 'from a function')
  t.escape()
  vim.cmd('inoremap Q quick')
  vim.api.nvim_set_keymap('i', '<Tab>', 'Q', {})
  t.type('cc<Tab>', 'quick')
  t.escape()
  vim.api.nvim_set_keymap('i', '<Tab>', '<Tab>Q', {})
  t.type('cc<Tab>', '\tquick')
  t.escape()
  vim.cmd('iunmap Q')
  vim.cmd('iunmap <Tab>')
end)

case('a mapping that the buffer had before is the fallback', function(t)
  vim.cmd([[autocmd BufRead *.early ++once inoremap <buffer> <Tab> early]])
  vim.cmd([[autocmd BufRead *.early setfiletype c]])
  t.open({ '' }, 'early')
  t.type('i<Tab>', 'early')
end)

case('a fast typist gets what was on the screen or the plain key, never a mix', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { answer('bc') } } })
  t.press('ia')
  t.wait_ghost('bc')
  t.type('b<Tab>', 'abc')
  t.escape()
  vim.cmd('%d')
  t.press('ia')
  t.wait_ghost('bc')
  t.type('x<Tab>', 'ax\t')
end)

case('an accepted item runs its command', function(t)
  t.open()
  local command = { title = 't', command = 'test.accepted', arguments = { 'id-7' } }
  local accepted = { items = { { insertText = 'b', command = command } } }
  t.rules({ { before = 'a', steps = { { result = accepted } } } })
  t.press('ia')
  t.wait_ghost('b')
  t.type('<Tab>', 'ab')
  t.wait('the command', function()
    local commands = t.received().commands
    return commands[1] and commands[1].arguments[1] == 'id-7'
  end)
end)

case('disabled means no request; enabled again it goes on', function(t)
  t.open()
  t.rules({ { before = 'a', steps = { answer('b') } } })
  vim.cmd('Kinglet disable')
  t.type('ia', 'a')
  t.equal('status', require('kinglet').status(), 'kinglet off')
  t.equal('requests', t.received().completions, {})
  require('kinglet').enable()
  t.wait_ghost('b')
end)

case('progress that the server reports is shown in the status', function(t)
  t.open()
  local function report(value)
    t.notify('test/progress', { token = 'work', value = value })
  end
  report({ kind = 'begin', title = 'indexing', percentage = 0 })
  report({ kind = 'report', percentage = 40 })
  t.wait('the status', function()
    return require('kinglet').status() == 'kinglet indexing 40%'
  end)
  report({ kind = 'end' })
  t.wait('the status', function()
    return require('kinglet').status() == 'kinglet'
  end)
end)

case('the status command tells of the server', function(t)
  t.open()
  vim.cmd('messages clear')
  vim.cmd('Kinglet status')
  t.wait('the report', function()
    return vim.fn.execute('messages'):find('index%.files%s+3')
  end)
  local shown = vim.fn.execute('messages')
  t.equal('program', shown:find('scripted_server.py', 1, true) ~= nil, true)
  t.equal('buffer', shown:find('this buffer  attached', 1, true) ~= nil, true)
end)

case('the log command shows the plugin\'s log and the daemon\'s', function(t)
  t.open()
  vim.cmd('Kinglet log')
  t.wait('the log', function()
    return t.text():find('ready: scripted 1') and t.text():find("the daemon's log")
  end)
  vim.cmd('close')
end)

local function wait_text(t, text)
  t.wait('the text ' .. text, function()
    return t.text() == text
  end)
end

case('the context command shows what the server says of the cursor, in one split', function(t)
  t.open({ 'int añd(' })
  local source = vim.api.nvim_get_current_win()
  local shown = { result = { rendered = 'x\n\ny\n' } }
  t.rules({ { before = 'int añ', steps = { { gate = 'a' }, shown } } })
  vim.cmd('normal! 0fd')
  vim.cmd('Kinglet context')
  wait_text(t, 'asking the server …')
  local split = vim.api.nvim_get_current_win()
  t.equal('nothing to save', vim.bo.buftype, 'nofile')
  vim.api.nvim_set_current_win(source)
  t.wait_gate('a')
  t.equal('source', t.text(), 'int añd(')
  t.release('a')
  vim.api.nvim_set_current_win(split)
  wait_text(t, 'x\n\ny')

  -- Once more, from another place: the same split. What was asked before is not waited for.
  vim.api.nvim_set_current_win(source)
  t.rules({
    { before = 'int', steps = { { gate = 'b' } } },
    { before = 'i', steps = { { result = { rendered = 'z\n' } } } },
  })
  vim.cmd('normal! 03l')
  vim.cmd('Kinglet context')
  vim.api.nvim_set_current_win(source)
  t.wait_gate('b')
  vim.cmd('normal! 0l')
  vim.cmd('Kinglet context')
  t.equal('window', vim.api.nvim_get_current_win(), split)
  wait_text(t, 'z')
  t.equal('windows', #vim.api.nvim_list_wins(), 2)
  vim.cmd('close')
  local received = t.received()
  t.equal('waiting', received.waiting, {})
  t.equal('asked', received.contexts, { 'int añ', 'int', 'i' })
end)

case('the context command says why there is nothing to show', function(t)
  t.open({ 'x' })
  local refusal = { code = -32803, message = 'it is binary' }
  t.rules({ { before = '', steps = { { error = refusal } } } })
  vim.cmd('Kinglet context')
  wait_text(t, 'the server shows no context: it is binary')
  t.equal('messages', t.messages, {})
  vim.cmd('Kinglet context') -- of the split itself
  t.wait('a message', function()
    return #t.messages == 1
  end)
  local told = 'Kinglet: no server knows this buffer; see :Kinglet status'
  t.equal('message', t.messages[1].text, told)
  wait_text(t, 'the server shows no context: it is binary')
  vim.cmd('close')
end)

case('a context that nobody waits for any more is cancelled', function(t)
  t.open({ 'x' })
  t.rules({ { before = '', steps = { { gate = 'a' } } } })
  vim.cmd('Kinglet context')
  vim.cmd('wincmd p')
  t.wait_gate('a')
  vim.cmd('wincmd p')
  vim.cmd('close')
  t.wait('the cancellation', function()
    return #t.received().waiting == 0
  end)
  t.equal('cancelled', #t.received().cancelled, 1)
end)

case('checkhealth finds nothing wrong', function(t)
  t.open()
  vim.cmd('silent checkhealth kinglet')
  local report = t.text()
  t.equal('program', report:find('it runs: kinglet scripted', 1, true) ~= nil, true)
  t.equal('no error', report:find('ERROR', 1, true), nil)
  vim.cmd('bwipeout!')
end)

case('buffers that are no files are left alone', function(t)
  t.open()
  local attach = require('kinglet.attach')
  vim.cmd('enew')
  t.equal('unnamed', attach.why_not(0), 'it has no name yet')
  vim.cmd('noautocmd silent edit scp://host/file.c')
  t.equal('remote', attach.why_not(0), 'it is not a local file')
  vim.cmd('bwipeout!')
  vim.cmd('help')
  t.equal('help', attach.why_not(0), 'it is not a file')
  vim.cmd('close')
end)

return cases
