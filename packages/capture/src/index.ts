export const CAPTURE = 'core-dump-handler/capture'
