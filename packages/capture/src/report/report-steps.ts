/** The code of a report: loaded when a core is read, and a small one has been read whole by then. */
export { analyzeCrash } from './analyze-crash.ts'
export { StackCapture } from './stack-capture.ts'
