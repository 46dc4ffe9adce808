# Java, by pom.xml, Java 17, Spring Boot.
# Written by Skiff: edit it as you like, or commit it as Dockerfile.

FROM maven:3.9-eclipse-temurin-17 AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.m2/repository mvn --batch-mode --no-transfer-progress -DskipTests package
RUN rm -f target/original-* target/*-plain.* target/*-sources.* target/*-javadoc.* \
    && mkdir /app && cp target/*.jar /app/app.jar

FROM eclipse-temurin:17-jre
RUN useradd --uid 10001 --user-group --create-home app
WORKDIR /app
COPY --from=build /app ./
USER 10001:10001
ENV PORT=8080 SERVER_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${PORT}"]
CMD ["java", "-XX:MaxRAMPercentage=75", "-jar", "app.jar"]
---
