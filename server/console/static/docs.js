"use strict";
/* The routes of this server, drawn by Swagger UI from this server's own schema. */
SwaggerUIBundle({ url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true });
