--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","id":2,"method":"test/later"}
--> {"jsonrpc":"2.0","id":"2","method":"test/later"}
--> {"jsonrpc":"2.0","id":3,"method":"test/stubborn"}
# Unknown, ended and odd ids are ignored; 2 and "2" differ.
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":77}}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}
--> {"jsonrpc":"2.0","method":"$/cancelRequest"}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"2"}}
<-- {"error":{"code":-32800,"message":"cancelled by the client"},"id":"2","jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":3}}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}
<-- {"error":{"code":-32800,"message":"cancelled by the client"},"id":2,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}
# A handler may also finish what was cancelled.
--> {"jsonrpc":"2.0","method":"test/release"}
<-- {"id":3,"jsonrpc":"2.0","result":"released"}
