--- `:checkhealth kinglet`
local compat = require('kinglet.compat')
local config = require('kinglet.config')
local program = require('kinglet.program')
local server = require('kinglet.server')

local M = {}

local function check_program(report)
  local found = program.find()
  if not found.path then
    report.error(found.origin, {
      'build it (./dev build prints its path as the last line) or install it (./dev install)',
      "require('kinglet').setup({ program = '/path/to/kinglet' })",
    })
    return
  end
  report.ok(('program: %s (%s)'):format(found.path, found.origin))
  local answer = vim.fn.system({ found.path, '--version' })
  if vim.v.shell_error == 0 then
    report.ok('it runs: ' .. vim.trim(answer))
  else
    report.error('it does not run: ' .. vim.trim(answer))
  end
end

local function check_servers(report)
  local servers = server.all()
  if #servers == 0 then
    report.info('no server yet: one starts with the first file that is opened')
  end
  for _, own in ipairs(servers) do
    local where = own.root or 'single files'
    if own.state == 'failed' then
      report.error(where .. ': the server is stopped', { ':Kinglet log', ':Kinglet restart' })
    else
      report.ok(('%s: %s'):format(where, own.state))
    end
  end
end

local function check_keys(report)
  for name, key in pairs(config.options.keymaps) do
    report.info(('%-12s %s'):format(name, key or 'unmapped'))
  end
end

function M.check()
  local report = compat.health()
  report.start('Kinglet')
  if vim.fn.has('nvim-0.7') == 1 then
    report.ok('Neovim is new enough')
  else
    report.error('Neovim 0.7 or newer is needed')
  end
  check_program(report)
  check_servers(report)
  report.start('Kinglet: keys in insert mode')
  check_keys(report)
  report.info('`kinglet doctor` on the command line looks at devices, model and daemon')
end

return M
