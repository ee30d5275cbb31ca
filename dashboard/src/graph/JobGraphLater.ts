/** The graph of a job, whose script is fetched when it is first needed. */

import { later } from "../parts/later";

export const JobGraph = later(() => import("./JobGraph").then((part) => part.JobGraph), "Drawing the graph");
