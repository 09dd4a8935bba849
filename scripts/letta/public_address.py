"""An HTTP proxy by which this machine's loopback has a public address.

Since 0.16.7 Letta refuses MCP servers at addresses that are not public, and offers no way around it.
Where a user has a reverse proxy with a public name before promptyoself, the tests have this: Letta
takes it for its proxy to the world outside, and whatever goes to ADDRESS comes back to the same port
of 127.0.0.1. Nothing else is let through.

    public_address.py --port PORT
"""
import argparse
import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# In a block that is set aside for name servers of private addresses: public, and nobody's.
ADDRESS = "192.31.196.1"
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


class Proxy(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def forward(self):
        url = urlsplit(self.path)
        if url.hostname != ADDRESS:
            return self.send_error(502, "nothing but " + ADDRESS + " is reached from here")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        target = http.client.HTTPConnection("127.0.0.1", url.port or 80)
        try:
            target.request(self.command, url.path + ("?" + url.query if url.query else ""), body, headers)
            response = target.getresponse()
        except OSError as error:
            return self.send_error(502, str(error))
        # HTTP/1.0: the end of the connection is the end of the answer, also of a stream.
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
