"""An HTTP proxy that gives this machine's loopback a public address.

Since 0.16.7 Letta refuses MCP servers at addresses that are not public, without an exception. A user puts
a reverse proxy with a public name in front of promptyoself; the tests use this. Letta is configured to
use it as its HTTP proxy, and requests to ADDRESS come back to the same port of 127.0.0.1. Nothing else
is let through.

    public_address.py --port PORT
"""
import argparse
import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# In a block reserved for name servers of private addresses: public, but nobody's.
ADDRESS = "192.31.196.1"
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


class Proxy(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def forward(self):
        url = urlsplit(self.path)
        if url.hostname != ADDRESS:
            return self.send_error(502, "only " + ADDRESS + " can be reached from here")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        target = http.client.HTTPConnection("127.0.0.1", url.port or 80)
        try:
            target.request(self.command, url.path + ("?" + url.query if url.query else ""), body, headers)
            response = target.getresponse()
        except OSError as error:
            return self.send_error(502, str(error))
        # HTTP/1.0: the end of the connection ends the answer, even a stream.
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        while chunk := response.read1(65536):
            self.wfile.write(chunk)
            self.wfile.flush()
        target.close()

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = forward


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", arguments.parse_args().port), Proxy).serve_forever()
