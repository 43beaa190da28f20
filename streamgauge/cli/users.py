"""`streamgauge password` and `streamgauge token`: what goes into the gateway's file of users."""

import click


@click.command()
@click.password_option("--password", "given", help="Asked for if not given.")
def password(given: str) -> None:
    """Print the hash of a password."""
    from streamgauge.gateway.auth.secrets import PasswordHash

    click.echo(PasswordHash.of(given).text)


@click.command()
def token() -> None:
    """Print a new token, for who asks, and its hash, for the file of users."""
    from streamgauge.gateway.auth.secrets import new_token, token_hash

    made = new_token()
    click.echo(f"token: {made}\nhash:  {token_hash(made)}")
