-- Few calls are of one session, trace or end user.
{LOG_IS_SELECTIVE}
