"""TLS as clients of this system speak it."""

import ssl

from streamgauge.config.connections import ClientTls


class UnusableCertificate(ValueError):
    """A certificate or key that cannot be used; the message names its file."""


def client_context(tls: ClientTls) -> ssl.SSLContext:
    """A context that checks the server's certificate and its name, with the client's own certificate if there is one.

    :raises UnusableCertificate: if a file cannot be read or is no PEM.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise UnusableCertificate(f"{tls.ca_file}: no authority's certificate: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert_file and tls.key_file:
        try:
            # without a function for the passphrase OpenSSL would ask at the terminal
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
        except OSError as error:
            files = f"{tls.cert_file}, {tls.key_file}"
            raise UnusableCertificate(f"{files}: no certificate and its key: {error}") from None
    return context
