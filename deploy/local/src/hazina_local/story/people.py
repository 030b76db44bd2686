"""How somebody signs up, and what they then have in every service."""

import secrets
from typing import Any

from hazina_local.story.world import Json, Person, World, eventually, expect

PASSWORD = "karibu kwenye hazina"  # noqa: S105 - of people who live for a minute


async def sign_up(world: World, name: str, *, trace_id: str | None = None) -> Person:
    """Sign up with a mail address, type the code from the mail, and be signed in.

    The user's name gets a random end, so that the story can be told twice on the same data.
    """
    username = f"{name.lower()}_{secrets.token_hex(3)}"
    email = f"{username}@example.com"
    challenge = await world.post(
        "/identity/v1/auth/signup",
        {
            "email": email,
            "password": PASSWORD,
            "profile": {"username": username, "display_name": name, "locale": "sw"},
        },
        expected=202,
        trace_id=trace_id,
    )
    expect(challenge["status"] == "challenge", "signing up asks for the code in a mail", challenge)
    code = await eventually(
        f"a mail with a code for {email}",
        lambda: mailed_code(world, email),
        lambda code: code is not None,
    )
    tokens = await world.post(
        f"/identity/v1/auth/challenges/{challenge['challenge_id']}/answer",
        {"method": "code", "code": code},
        expected=200,
    )
    expect(tokens["status"] == "signed_in", "the code signs in", tokens)
    return Person(
        name=name,
        email=email,
        user_id=tokens["user"]["id"],
        org_id=tokens["org"]["id"],
        token=tokens["access_token"],
    )


async def mailed_code(world: World, email: str) -> str | None:
    """The newest code that was mailed to this address."""
    answer = await world.http.get("/_dev/mail", params={"to": email, "format": "json"})
    if answer.status_code == 404:  # noqa: PLR2004 - a stack without our mail sink
        answer = await world.http.get("/identity/v1/dev/messages", params={"to": email})
    found: Json = answer.raise_for_status().json()
    mails = found["data"] if isinstance(found, dict) else found
    return next((mail["code"] for mail in mails if mail["code"]), None)


async def has_a_home(world: World, person: Person) -> dict[str, Any]:
    """What a new member has in every service, as soon as each has heard of them."""
    me = await world.get("/identity/v1/me", person)
    expect(me["status"] == "active", f"{person.name} is active", me)
    org = await world.get(f"/identity/v1/orgs/{person.org_id}", person)
    expect(org["my_role"] == "owner", f"{person.name} owns a personal organisation", org)
    plan: Json = await eventually(
        f"{person.name}'s Free subscription",
        lambda: world.find(f"/billing/v1/orgs/{person.org_id}/subscription", person),
        lambda found: found is not None and found["plan"] == "free",
    )
    accounts = await eventually(
        f"{person.name}'s coin and earnings accounts",
        lambda: purposes(world, person),
        lambda found: {"available", "earnings"} <= found,
    )
    wallets = await eventually(
        f"{person.name}'s VIBES wallet",
        lambda: world.get("/crypto/v1/wallets", person),
        lambda found: len(found["data"]) == 1,
    )
    profile: Json = await eventually(
        f"{person.name}'s profile",
        lambda: world.find(f"/streaming/v1/profiles/{person.user_id}", person),
        lambda found: found is not None and found["display_name"] == person.name,
    )
    return {
        "organisation": org["slug"],
        "subscription": plan["plan"],
        "accounts": sorted(accounts),
        "wallet": wallets["data"][0]["handle"],
        "profile": profile["username"],
    }


async def purposes(world: World, person: Person) -> set[str]:
    """For what a person has coin accounts."""
    found = await world.get("/ledger/v1/accounts?asset=COIN", person)
    return {account["purpose"] for account in found["data"]}
