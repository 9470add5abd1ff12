@allure.epic:Backtesting @allure.suite:Backtest
Feature: Turning down what cannot be cancelled
  A trader cancels a backtest that has just ended; a script has the wrong id.
  KTRDR must say no, plainly, and everything must go on as if nobody had asked.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @allure.story:Cancelling
  Scenario: A cancellation of what is not there is turned down, and a running backtest is left alone
    When a long backtest is started
    Then the backtest is running within 10 seconds
    And its progress is above 0 % and moving within 30 seconds
    When a cancellation is sent for each of these, which are nobody's backtests
      | what                                 |
      | an id that nobody has                |
      | the id of a training that nobody has |
      | no id at all                         |
      | an id of ten thousand characters     |
      | an id that climbs out of its folder  |
      | an id in letters of many languages   |
    Then each of these cancellations is turned down, and none is an error of KTRDR's own
    And KTRDR and its workers go on answering after them
    And no running backtest has come to harm by them
    And the list of backtests is as it was before them
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds

  @normal @allure.story:Cancelling
  Scenario: A cancellation of what has ended is turned down, and its record stays as it was
    Given a backtest that has completed, the first of these that does
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    And a backtest that has failed, the first of these that does
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-06 | 2024-01-07 |
      | NOSUCH | 1d        | 2024-01-01 | 2024-12-31 |
    When a long backtest is started
    Then the backtest is running within 10 seconds
    When what has ended is cancelled all the same
    Then each of these cancellations is turned down, and none is an error of KTRDR's own
    And KTRDR and its workers go on answering after them
    And the records of what had ended are as they were
    And no running backtest has come to harm by them
    And the list of backtests is as it was before them
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds

  @normal @disturbs_others @allure.story:Releasing
  Scenario: The worker of a backtest that was cancelled after its end takes the next one
    Given a backtest that has completed, the first of these that does
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    When what has ended is cancelled all the same
    And an operation of another kind that has ended is cancelled, if there is one
    Then each of these cancellations is turned down, and none is an error of KTRDR's own
    And KTRDR and its workers go on answering after them
    When a long backtest is started
    Then the backtest is running within 10 seconds
    When every other worker is given a backtest of its own
    Then the records of what had ended are as they were
    And the worker of what had ended runs another backtest within 30 seconds
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
