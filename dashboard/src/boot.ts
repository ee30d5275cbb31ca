/** Runs first, and is small: sends the calls that the page will ask for, while its scripts are on their way. */

import { hasRest, sendEarly } from "./api/early";
import "@xyflow/react/dist/base.css";
import "./styles/base.css";
import "./styles/pieces.css";
import "./styles/pages.css";
import "./styles/tap.css";

const { hash } = window.location;
sendEarly(hash);

// A graph is what most links lead to.
if (hash.startsWith("#/job")) void import("./graph/JobGraph");
if (hasRest(hash)) void import("./pages/rest");
void import("./main");
