-- What a user's configuration would hold: the plugin on the runtime path, and its options from the
-- environment (KINGLET_OPTIONS, a Lua table; KINGLET_PROGRAM).
local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h')
vim.opt.runtimepath:prepend(vim.fn.fnamemodify(here .. '/../../../plugins/neovim', ':p'))
vim.o.swapfile, vim.o.hidden = false, true
vim.o.shortmess = vim.o.shortmess .. 'I'
vim.o.termguicolors = true
vim.cmd('filetype on')

local options = loadstring('return ' .. (vim.env.KINGLET_OPTIONS or '{}'))()
options.program = options.program or vim.env.KINGLET_PROGRAM
require('kinglet').setup(options)
