// A runbook: text in the frame.

import { answer, startFrame } from "./frame.js";

startFrame();
answer("plain", "");
