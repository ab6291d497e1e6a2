--- Pure functions on strings: words and lines of a suggestion, columns of the protocol.
--- Nothing here touches the editor.
local M = {}

---@param text string
---@param prefix string
---@return boolean
function M.starts_with(text, prefix)
  return text:sub(1, #prefix) == prefix
end

---@param text string
---@param suffix string
---@return boolean
function M.ends_with(text, suffix)
  return suffix == '' or text:sub(-#suffix) == suffix
end

--- Line endings as the editor's buffers have them.
---@param text string
---@return string
function M.unix_lines(text)
  return (text:gsub('\r\n?', '\n'))
end

--- Splits at line ends; a text without any is one line.
---@param text string
---@return string[]
function M.lines(text)
  local lines, start = {}, 1
  while true do
    local stop = text:find('\n', start, true)
    if not stop then
      lines[#lines + 1] = text:sub(start)
      return lines
    end
    lines[#lines + 1] = text:sub(start, stop - 1)
    start = stop + 1
  end
end

--- The next word with the blanks (and line ends) before it: a run of word characters, or a run of
--- punctuation. Bytes of multi-byte characters count as word characters, so none is ever cut.
---@param text string
---@return string
function M.first_word(text)
  local blanks = text:match('^%s*')
  local after = text:sub(#blanks + 1)
  local word = after:match('^[%w_\128-\255]+') or after:match('^[^%w_%s\128-\255]+') or ''
  return blanks .. word
end

--- What is left of the current line; when nothing is, the line end and the whole next line.
---@param text string
---@return string
function M.first_line(text)
  return text:match('^[^\n]+') or text:match('^\n[^\n]*') or ''
end

--- Bytes of the character that begins at `byte` (1-based). A stray byte is a character of its own.
local function char_bytes(line, byte)
  local lead = line:byte(byte)
  local n = lead >= 0xF0 and 4 or lead >= 0xE0 and 3 or lead >= 0xC0 and 2 or 1
  for i = 1, n - 1 do
    local next_byte = line:byte(byte + i)
    if not next_byte or next_byte < 0x80 or next_byte > 0xBF then
      return 1
    end
  end
  return n
end

local function char_units(n_bytes, encoding)
  if encoding == 'utf-8' then
    return n_bytes
  end
  return (encoding == 'utf-16' and n_bytes == 4) and 2 or 1
end

--- A byte column as a column of the protocol.
---@param line string
---@param col integer bytes before the position; clamped to the line
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer
function M.column_from_bytes(line, col, encoding)
  local byte, units = 1, 0
  while byte <= math.min(col, #line) do
    local n = char_bytes(line, byte)
    byte, units = byte + n, units + char_units(n, encoding)
  end
  return units
end

--- A column of the protocol as a byte column; past the end means the end, inside a character its
--- beginning.
---@param line string
---@param column integer
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return integer
function M.column_to_bytes(line, column, encoding)
  local byte, units = 1, 0
  while byte <= #line do
    local n = char_bytes(line, byte)
    units = units + char_units(n, encoding)
    if units > column then
      break
    end
    byte = byte + n
  end
  return byte - 1
end

return M
