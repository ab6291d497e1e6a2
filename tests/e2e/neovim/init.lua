-- What a user's configuration would hold: the plugin on the runtime path, and its options.
local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h')
vim.opt.runtimepath:prepend(vim.fn.fnamemodify(here .. '/../../../plugins/neovim', ':p'))
vim.o.swapfile, vim.o.hidden = false, true
vim.o.shortmess = vim.o.shortmess .. 'I'
vim.o.termguicolors = true
vim.cmd('filetype on')

vim.g.kinglet = { program = vim.env.KINGLET_PROGRAM }
