"""`streamgauge password` and `streamgauge token`: make entries of the gateway's users file."""

import click


@click.command()
@click.password_option("--password", "given", help="The password; prompted for if omitted.")
def password(given: str) -> None:
    """Print the hash of a password."""
    from streamgauge.gateway.auth.secrets import PasswordHash

    click.echo(PasswordHash.of(given).text)


@click.command()
def token() -> None:
    """Print a new token, for the client, and its hash, for the users file."""
    from streamgauge.gateway.auth.secrets import new_token, token_hash

    made = new_token()
    click.echo(f"token: {made}\nhash:  {token_hash(made)}")
