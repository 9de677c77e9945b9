"""What both systems show Tandem's users, as they describe themselves now."""

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import sorts
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.fitting.survey import survey
from consumers.fitting.visibility import Seen, visibility
from consumers.mapping.describes import Describes
from streams.budget.open import OpenBudget
from streams.marketo.api.calling import BY_HAND_SECONDS
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest


async def visibility_of(settings: Settings) -> tuple[Seen, ...]:
    """What is kept in step of every object, what is not, and why. Raises the adapters' errors."""
    return visibility(settings, await described(settings))


async def described(settings: Settings) -> Describes:
    """Their fields. Raises the adapters' errors."""
    async with Session(salesforce_settings(settings)) as session, MarketoSession(marketo_settings(settings)) as marketo_session:
        salesforce, marketo = SalesforceRest(session, OpenBudget()), MarketoRest(marketo_session, OpenBudget(), BY_HAND_SECONDS)
        return await survey(salesforce, marketo, sorts(settings))
