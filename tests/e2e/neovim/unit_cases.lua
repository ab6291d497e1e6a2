--- The plugin's pure parts: words and lines, columns of the protocol, the states of a suggestion.
local config = require('kinglet.config')
local suggestions = require('kinglet.suggestion')
local text = require('kinglet.text')

local cases = {}
local function case(name, body)
  cases[#cases + 1] = { name, body }
end

case('a word is blanks and a run of word characters or of punctuation', function(t)
  for whole, word in pairs({
    ['foo(bar)'] = 'foo',
    ['(bar)'] = '(',
    ['  foo bar'] = '  foo',
    ['\n  foo();'] = '\n  foo',
    ['->x'] = '->',
    ['été 🐦'] = 'été',
    [' 🐦!'] = ' 🐦',
    ['_a1-b'] = '_a1',
    ['  \n'] = '  \n',
    [''] = '',
  }) do
    t.equal(vim.inspect(whole), text.first_word(whole), word)
  end
end)

case('a line is what is left of this one, else the next one', function(t)
  for whole, line in pairs({
    ['a b\nc'] = 'a b',
    ['\nc d\ne'] = '\nc d',
    ['\n\nx'] = '\n',
    ['a'] = 'a',
    [''] = '',
  }) do
    t.equal(vim.inspect(whole), text.first_line(whole), line)
  end
end)

case('taking words until nothing is left gives back the text', function(t)
  local whole = 'for (auto& [k, é] : m) {\n\t// 🐦 done\n}\n'
  local rest, taken = whole, ''
  while rest ~= '' do
    local word = text.first_word(rest)
    t.equal('progress', #word > 0, true)
    taken, rest = taken .. word, rest:sub(#word + 1)
  end
  t.equal('all', taken, whole)
end)

case('columns agree with the editor, there and back', function(t)
  for _, line in ipairs({ 'plain', 'é🐦ß𝄞x', '🐦🐦', '' }) do
    for col = 0, #line do
      local at_char = col == #line or line:byte(col + 1) < 0x80 or line:byte(col + 1) > 0xBF
      if at_char then
        local utf32, utf16 = vim.str_utfindex(line, col)
        t.equal('utf-8', text.column_from_bytes(line, col, 'utf-8'), col)
        t.equal('utf-16', text.column_from_bytes(line, col, 'utf-16'), utf16)
        t.equal('utf-32', text.column_from_bytes(line, col, 'utf-32'), utf32)
        t.equal('from utf-16', text.column_to_bytes(line, utf16, 'utf-16'), col)
        t.equal('from utf-32', text.column_to_bytes(line, utf32, 'utf-32'), col)
      end
    end
  end
end)

case('columns past the end, inside a character, and of stray bytes', function(t)
  t.equal('past the end', text.column_to_bytes('ab', 99, 'utf-16'), 2)
  t.equal('inside a pair', text.column_to_bytes('a🐦b', 2, 'utf-16'), 1)
  t.equal('stray byte', text.column_from_bytes('\xffab', 3, 'utf-16'), 3)
  t.equal('cut character', text.column_from_bytes('\xf0\x9f', 2, 'utf-16'), 2)
end)

--- A view of lines with the cursor at `^`.
local function view_of(marked)
  local lines = text.lines(marked)
  local view = { lines = lines }
  for i, line in ipairs(lines) do
    local at = line:find('^', 1, true)
    if at then
      view.row, view.col = i - 1, at - 1
      lines[i] = line:sub(1, at - 1) .. line:sub(at + 1)
    end
  end
  function view.line(_, row)
    return lines[row + 1] or ''
  end
  return view
end

local function suggestion_at(marked, ...)
  local own = suggestions.new(view_of(marked))
  for i, proposed in ipairs({ ... }) do
    own:grow({ itemId = tostring(i), insertText = proposed }, 'utf-8')
  end
  return own
end

local function state_of(own, marked)
  local state, rest = own:state(view_of(marked))
  return state .. ' ' .. rest
end

case('the state of a suggestion follows the buffer, in both directions', function(t)
  local own = suggestion_at('int ad^;', 'd(int a)')
  t.equal('at once', state_of(own, 'int ad^;'), 'shown d(int a)')
  t.equal('typed', state_of(own, 'int add(^;'), 'shown int a)')
  t.equal('deleted again', state_of(own, 'int add^;'), 'shown (int a)')
  t.equal('deleted too much', state_of(own, 'int a^;'), 'misfit ')
  t.equal('something else', state_of(own, 'int adx^;'), 'misfit ')
  t.equal('changed on the right', state_of(own, 'int add^'), 'misfit ')
  t.equal('changed on the left', state_of(own, 'int bdd^;'), 'misfit ')
  t.equal('typed all', state_of(own, 'int add(int a)^;'), 'waiting ')
  t.equal('typed ahead', state_of(own, 'int add(int a) {^;'), 'waiting ')
  own:finish({ own.items[1] })
  t.equal('typed all of it', state_of(own, 'int add(int a)^;'), 'used_up ')
  t.equal('typed past the end', state_of(own, 'int add(int a) {^;'), 'misfit ')
end)

case('a suggestion goes over several lines', function(t)
  local own = suggestion_at('f() {^}', '\n  a\n  b\n')
  t.equal('first', state_of(own, 'f() {\n  ^}'), 'shown a\n  b\n')
  t.equal('second', state_of(own, 'f() {\n  a\n  b^}'), 'shown \n')
  t.equal('another line', state_of(own, 'f() {\n  x\n  b^}'), 'misfit ')
  t.equal('above', state_of(own, '^f() {\n}'), 'misfit ')
end)

case('the final answer keeps the alternative that is shown', function(t)
  local own = suggestion_at('^', 'a', 'bc')
  own:cycle(view_of('^'), 1)
  own:finish({ { text = 'ab', replaces = 0 }, { text = 'bcd', replaces = 0 } })
  t.equal('shown', state_of(own, '^'), 'shown bcd')
  own:finish({ { text = 'x', replaces = 0 } })
  t.equal('gone', state_of(own, '^'), 'shown x')
end)

case('line ends of any kind become the buffer\'s', function(t)
  local own = suggestion_at('^', 'a\r\nb\rc')
  t.equal('text', state_of(own, '^'), 'shown a\nb\nc')
end)

case('options are checked', function(t)
  local function problem(options)
    local before = config.options
    local _, message = pcall(config.apply, options)
    config.options = before
    return type(message) == 'string' and message or 'accepted'
  end
  t.equal('fine', problem({ keymaps = { accept = false }, filetypes = { c = false } }), 'accepted')
  t.equal('unknown', problem({ porgram = 'x' }):match('"%w+"'), '"porgram"')
  t.equal('type', problem({ debounce_ms = '1' }):match('"[%w_]+" must'), '"debounce_ms" must')
  t.equal('range', problem({ debounce_ms = 26 }):match('"[%w_]+" must'), '"debounce_ms" must')
  local key = problem({ keymaps = { accept = 7 } })
  t.equal('key', key:match('"[%w_.]+" must'), '"keymaps.accept" must')
end)

case('the root is the nearest folder with a marker, never the home folder', function(t)
  local attach = require('kinglet.attach')
  local here = vim.fn.getcwd()
  local function root_of(path)
    vim.fn.mkdir(vim.fn.fnamemodify(path, ':h'), 'p')
    vim.cmd('noautocmd silent edit ' .. path)
    local root = attach.root_of(vim.api.nvim_get_current_buf())
    vim.cmd('bwipeout!')
    return root
  end
  t.equal('marked', root_of('sub/deep/a.c'), here)
  vim.fn.mkdir('sub/.git', 'p')
  t.equal('nearest', root_of('sub/deep/a.c'), here .. '/sub')
  t.equal('elsewhere', root_of(vim.env.HOME .. '/plain/a.c'), nil)
  vim.cmd('lcd ' .. vim.env.HOME .. '/plain')
  t.equal('current folder', root_of(vim.env.HOME .. '/plain/a.c'), vim.env.HOME .. '/plain')
  vim.cmd('lcd ' .. vim.env.HOME)
  t.equal('home', root_of(vim.env.HOME .. '/plain/a.c'), nil)
  vim.cmd('lcd ' .. here)
end)

return cases
