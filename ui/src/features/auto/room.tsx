/** The room of auto mode's button while it is on its way, so that nothing beside it moves. */
export const AutoModeRoom = () => <span aria-hidden className="h-7 w-12 sm:w-[7.75rem]" />;
