"""moto's server, which stands for AWS: on a free port, with every signature checked.

moto_server.py [PORT]; says `listening on PORT` and runs until it is ended.
"""

import hashlib
import io
import sys

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

ACCESS_KEY, SECRET = "123456789012", "secret"


class Signatures:
    """Answers 403 to what is not signed as botocore itself would sign it."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)
        problem = None if request.path.startswith("/moto-api/") else self.problem(request, body)
        if problem:
            print(f"moto_server: {request.method} {request.path}: {problem}", file=sys.stderr, flush=True)
            answer = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{problem}</Message></Error>"
            return Response(answer, status=403)(environ, start_response)
        return self.application(environ, start_response)

    def problem(self, request, body):
        authorization = request.headers.get("Authorization", "")
        if not authorization.startswith("AWS4-HMAC-SHA256 "):
            return "there is no signature"
        parts = dict(part.strip().split("=", 1) for part in authorization.split(" ", 1)[1].split(","))
        access_key, _, region, service, _ = parts["Credential"].split("/")
        if access_key != ACCESS_KEY:
            return f"unknown access key {access_key}"
        signed = parts["SignedHeaders"].split(";")
        absent = [name for name in signed if name not in request.headers]
        if absent:
            return f"signed and not sent: {absent}"
        headers = {name: request.headers[name] for name in signed}
        for name, _ in request.headers:
            if name.lower().startswith("x-amz-") and name.lower() not in signed:
                return f"{name} is not signed"
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        if service == "s3" and headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
            return "x-amz-content-sha256 is not the body's"
        url = request.host_url.rstrip("/") + request.environ["RAW_URI" if "RAW_URI" in request.environ else "REQUEST_URI"]
        again = AWSRequest(method=request.method, url=url, headers=headers, data=body)
        again.context["timestamp"] = headers["x-amz-date"]
        signer = kind(Credentials(ACCESS_KEY, SECRET), service, region)
        canonical = signer.canonical_request(again)
        wanted = signer.signature(signer.string_to_sign(again, canonical), again)
        return None if wanted == parts["Signature"] else f"the signature differs; canonical request:\n{canonical}"


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = make_server("127.0.0.1", port, Signatures(DomainDispatcherApplication(create_backend_app)), threaded=True)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
